"""What the key manager refuses, in Barbican's words."""

from netweft.control.errors import BadRequest, Conflict, Exhausted, NotFound, Refused


class BadKeyRequest(BadRequest):
    message = "%(reason)s"


class KeyNotFound(NotFound):
    message = "Not Found. Sorry but your %(what)s is in another castle."


class Forbidden(Refused):
    message = "%(action)s attempt not allowed - please review your user/project privileges"


class TooLarge(Refused):
    message = "Provided information too large to process"


class QuotaReached(Refused):
    message = "Quota reached for project %(project)s. Only %(quota)s %(kind)s are allowed"


class PayloadThere(Conflict):
    message = "Secret already has data, cannot modify it."


class NoKey(Exhausted):
    """The deployment's fault: its files are nothing to clients."""

    message = "The key manager cannot work now. The server's log says why."


class KeyManagerAway(Exhausted):
    message = "The key manager does not answer now. Try again."
