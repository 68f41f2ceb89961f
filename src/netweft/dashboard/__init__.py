"""The web page at `/dashboard`: its files, the browser's session, and what tells it of changes.

The page is a client of the HTTP API as any other (decision 0523); nothing here knows a resource or a rule of its own.

    bundle    the files, as `make web` builds them from web/
    session   the cookie in front of the API:  /dashboard/session, /dashboard/api/...
    login     what the session asks of Keystone's API, ours or the cloud's
    live      the follower of the feed that tells pages what changed:  /dashboard/live
"""

PATH = "/dashboard"
