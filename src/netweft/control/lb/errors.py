"""Refusals, with Octavia's words: clients and their tests match on them."""

from netweft.control.errors import BadRequest, Conflict, NotFound, Refused


class Forbidden(Refused):
    """Not for this caller, or not any more of it."""


class Unsupported(Refused):
    """It makes sense, and this provider has not got it."""


class LbNotFound(NotFound):
    message = "%(resource)s %(id)s not found."


class InvalidSubresource(BadRequest):
    """What was named in a body is not there, or not for the caller."""

    message = "%(resource)s %(id)s not found."


class PolicyForbidden(Forbidden):
    message = "Policy does not allow this request to be performed."


class QuotaMet(Forbidden):
    message = "Quota has been met for resources: %(resource)s"


class ValidationFailure(BadRequest):
    message = "Validation failure: %(detail)s"


class InvalidOption(BadRequest):
    message = "%(value)s is not a valid option for %(option)s"


class DisabledOption(BadRequest):
    message = "The selected %(option)s is not allowed in this deployment: %(value)s"


class L7RuleValidation(BadRequest):
    message = "Error parsing L7Rule: Invalid L7 Rule: %(error)s"


class InvalidL7PolicyArgs(BadRequest):
    message = "Invalid L7 Policy arguments: %(msg)s"


class ListenerNoChildren(BadRequest):
    message = "Protocol %(protocol)s listeners cannot have child objects."


class CertificateRetrieval(BadRequest):
    message = "Could not retrieve certificate: %(ref)s"


class UnreadablePkcs12(BadRequest):
    message = "The PKCS #12 bundle is unreadable: %(ref)s. It has to be whole, and without a passphrase."


class ProviderNotEnabled(BadRequest):
    message = "Provider '%(prov)s' is not enabled."


class MemberSriovDisabled(BadRequest):
    message = "The load balancer flavor does not allow SR-IOV member ports."


class DuplicateListener(Conflict):
    message = "Another Listener on this Load Balancer is already using protocol %(protocol)s and protocol_port %(port)d"


class DuplicateMember(Conflict):
    message = "Another member on this pool is already using ip %(ip_address)s on protocol_port %(port)d"


class DuplicateHealthMonitor(Conflict):
    message = "This pool already has a health monitor"


class DuplicatePool(Conflict):
    message = "This listener already has a default pool"


class PoolInUseByL7Policy(Conflict):
    message = "Pool %(id)s is in use by L7 policy %(l7policy_id)s"


class Immutable(Conflict):
    message = "%(resource)s %(id)s is immutable and cannot be updated."


class PendingState(Conflict):
    message = "Invalid state %(state)s of loadbalancer resource %(id)s"


class TooManyRules(Conflict):
    message = "Too many rules on L7 policy %(id)s"


class ReferencesChanged(Conflict):
    message = "The certificates that this belongs with have changed meanwhile. Try again."


class AlreadyExists(Conflict):
    message = "A %(field)s of %(name)s already exists."


class ObjectInUse(Conflict):
    message = "%(object)s %(id)s is in use and cannot be modified."


class VipAddressConflict(Conflict):
    message = "The VIP IP address is already in use: %(msg)s"


class UnsupportedOption(Unsupported):
    message = "Provider '%(prov)s' does not support a requested option: %(user_msg)s"
