"""Which versions of the Octavia API are spoken: clients choose by this list what they ask for."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from netweft.api.encoding import json_response

ROOT: Final = "/load-balancer"
# minor version -> the day of its definition
MINORS: Final = (
    *("2016-12-11", "2018-04-20", "2018-07-31", "2018-12-18", "2018-12-19", "2019-01-21", "2019-01-25", "2018-01-25"),
    *("2019-02-12", "2019-03-04", "2019-03-05", "2019-06-24", "2019-09-11", "2019-09-13", "2019-11-10", "2020-03-10"),
    *("2020-03-15", "2020-04-29", "2020-04-29", "2020-05-12", "2020-08-02", "2020-09-03", "2020-09-04", "2020-09-07"),
    *("2020-10-15", "2021-10-02", "2022-08-29", "2023-05-05", "2023-11-08", "2024-10-15", "2025-02-26"),
)


def routes(public_url: str) -> Sequence[BaseRoute]:
    async def versions(request: Request) -> Response:
        base = f"{(public_url or str(request.base_url)).rstrip('/')}{ROOT}/v2"
        newest = len(MINORS) - 1
        found = [
            {
                "id": f"v2.{minor}",
                "status": "CURRENT" if minor == newest else "SUPPORTED",
                "updated": f"{day}T00:00:00Z",
                "links": [{"href": base, "rel": "self"}],
            }
            for minor, day in enumerate(MINORS)
        ]
        return json_response({"versions": found})

    return [
        Route(path, versions)
        for path in (ROOT, f"{ROOT}/", f"{ROOT}/v2", f"{ROOT}/v2.0", f"{ROOT}/v2/", f"{ROOT}/v2.0/")
    ]
