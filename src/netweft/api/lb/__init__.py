"""The Octavia v2 API, at `/load-balancer`.

Beside the Networking API's generic handlers, not of them: its bodies, refusals, statuses and who may see what differ.
The store's queries, identity, turns at the database and quotas are the same.
"""
