"""What follows from a token wherever it is taken: whether its access rules let this request through (decision 0251),
and in whose name the request waits for its turns (decision 0271)."""

from starlette.exceptions import HTTPException
from starlette.requests import Request

from netweft.plugins.identity import Authenticate, Context, IdentityUnavailable, Unauthorized
from netweft.plugins.identity.access import permits
from netweft.spans.arriving import let_in
from netweft.store.changelog import actor
from netweft.store.turns import asking

NETWORK, IDENTITY, LOAD_BALANCER, KEY_MANAGER = "network", "identity", "load-balancer", "key-manager"
_PREFIX = {IDENTITY: "/identity", LOAD_BALANCER: "/load-balancer", KEY_MANAGER: "/key-manager"}


def ask_as(context: Context) -> None:
    asking.set((context.project_id or "", context.user_id, asking.get()[-1]))
    actor.set(f"user {context.user_id}")
    let_in(project_id=context.project_id, user_id=context.user_id)


async def authenticated(request: Request, authenticate: Authenticate) -> Context:
    """Whose token it is, where no resource's handler answers.  Raises HTTPException."""
    try:
        context = await authenticate(request.headers.get("x-auth-token", ""))
        await check(request, context, NETWORK, authenticate)
    except Unauthorized:
        raise HTTPException(401, "The request you have made requires authentication.") from None
    except IdentityUnavailable as error:
        raise HTTPException(503, str(error)) from None
    return context


async def check(request: Request, context: Context, service: str, authenticate: Authenticate) -> None:
    """A request that another service of the cloud makes for the token's user, and says so, is not the user's choice.

    Raises Unauthorized.
    """
    if context.access_rules is None:
        return
    path: str = request.scope["path"]
    paths = {path, path.removeprefix(_PREFIX.get(service, ""))}
    if (request.method, service) == ("GET", IDENTITY) and path.endswith("/v3/auth/tokens"):
        return  # a token can always be validated
    if permits(context.access_rules, service, request.method, *paths):
        return
    service_token = request.headers.get("x-service-token")
    if not service_token or "service" not in (await authenticate(service_token)).roles:
        raise Unauthorized
