"""What the embedded identity refuses, as types; `api/identity` gives each its status code.

`netweft.plugins.identity` has the two more that any identity service may raise: Unauthorized, IdentityUnavailable.
"""


class IdentityError(Exception):
    """Any of the refusals below.  The message is for the client."""


class NotFound(IdentityError):
    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"Could not find {kind.removesuffix('s').replace('_', ' ')}: {id}.")


class Conflict(IdentityError):
    pass


class Invalid(IdentityError):
    pass


class TooManyAttempts(IdentityError):
    """seconds: after which it is worth another try."""

    def __init__(self, seconds: int) -> None:
        super().__init__("There were too many attempts to log in. Try again later.")
        self.seconds = seconds


class Forbidden(IdentityError):
    def __init__(self, message: str = "You are not authorized to perform the requested action.") -> None:
        super().__init__(message)
