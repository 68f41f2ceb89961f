"""FWaaS' refusals, with Neutron's names and words; see `control/errors.py`.

Where another's policy or rule is not shared Neutron answers 404, not 409: their existence is nobody's business.
"""

from netweft.control.errors import BadRequest, Conflict, NotFound


class FirewallGroupNotFound(NotFound):
    message = "Firewall group %(id)s could not be found."


class FirewallPolicyNotFound(NotFound):
    message = "Firewall policy %(id)s could not be found."


class FirewallRuleNotFound(NotFound):
    message = "Firewall rule %(id)s could not be found."


# groups


class FirewallGroupInUse(Conflict):
    message = "Firewall group %(firewall_id)s is still active."


class FirewallGroupPortInvalid(Conflict):
    message = "Port %(port_id)s of firewall group is invalid."


class FirewallGroupPortInvalidProject(Conflict):
    message = "Operation cannot be performed as port %(port_id)s is in an invalid project %(project_id)s."


class FirewallGroupPortInUse(Conflict):
    message = "Port(s) %(port_ids)s provided already associated with other firewall group(s)."


class FirewallGroupCannotRemoveDefault(Conflict):
    message = "Deleting default firewall group not allowed."


class FirewallDefaultParameterExists(Conflict):
    message = "Operation cannot be performed since '%(name)s' is a reserved name for %(resource_type)s."


class FirewallDefaultObjectUpdateRestricted(Conflict):
    message = "Operation cannot be performed on default object '%(resource_id)s' of type %(resource_type)s."


# policies


class FirewallPolicyInUse(Conflict):
    message = "Firewall policy %(firewall_policy_id)s is being used."


class FirewallPolicyConflict(NotFound):
    message = (
        "Operation cannot be performed since firewall policy %(firewall_policy_id)s for your project could not be "
        "found. Please confirm if the firewall policy exists and is shared."
    )


class FirewallPolicySharingConflict(Conflict):
    message = (
        "Operation cannot be performed. Before sharing firewall policy %(firewall_policy_id)s, "
        "share associated firewall rule %(firewall_rule_id)s."
    )


# rules


class FirewallRuleInUse(Conflict):
    message = "Firewall rule %(firewall_rule_id)s is being used."


class FirewallRuleSharingConflict(NotFound):
    message = (
        "Operation cannot be performed since firewall policy %(firewall_policy_id)s could not find the firewall rule "
        "%(firewall_rule_id)s. Please confirm if the firewall rule exists and is shared."
    )


class FirewallRuleConflict(Conflict):
    message = (
        "Operation cannot be performed since firewall rule %(firewall_rule_id)s is not shared and belongs to "
        "another project %(project_id)s."
    )


class FirewallRuleAlreadyAssociated(Conflict):
    message = (
        "Operation cannot be performed since firewall rule %(firewall_rule_id)s is already associated with "
        "firewall policy %(firewall_policy_id)s."
    )


class FirewallRuleNotAssociatedWithPolicy(BadRequest):
    message = "Firewall rule %(firewall_rule_id)s is not associated with firewall policy %(firewall_policy_id)s."


class FirewallRuleInfoMissing(BadRequest):
    message = "Missing rule info argument for insert/remove rule operation."


class FirewallRuleInvalidICMPParameter(BadRequest):
    message = "%(param)s are not allowed when protocol is set to ICMP."


class FirewallRuleWithPortWithoutProtocolInvalid(BadRequest):
    message = "Source/destination port requires a protocol."


class FirewallIpAddressConflict(BadRequest):
    message = "Invalid input - IP addresses do not agree with IP Version."
