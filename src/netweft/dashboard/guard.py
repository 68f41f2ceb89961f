"""Whether a request is our own page's, and no other site's that the same browser shows.  Pure.

The cookie is SameSite=Strict; this holds where a browser does not know that, and between sites of one domain.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

HEADER = "x-netweft-dashboard"  # no other site's script may send it: there is no CORS here
_SAFE = frozenset({"GET", "HEAD"})


def problem(method: str, headers: Mapping[str, str], public_url: str) -> str:
    """Why it is refused; empty when it is not."""
    if HEADER not in headers:
        return f"A request of the dashboard has the header {HEADER}."
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "This request comes from another site."
    if method in _SAFE and "origin" not in headers:
        return ""
    return foreign(headers, public_url)


def foreign(headers: Mapping[str, str], public_url: str) -> str:
    """By its origin.  By which scheme the browser reached a proxy before us we do not know."""
    origin = _host(headers.get("origin", ""))
    ours = {headers.get("host", "").lower(), _host(public_url)}
    return "" if origin and origin in ours else "This request comes from another site, or does not say from where."


def is_encrypted(headers: Mapping[str, str]) -> bool:
    """As far as the browser sees it."""
    return headers.get("origin", "").lower().startswith("https://")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
