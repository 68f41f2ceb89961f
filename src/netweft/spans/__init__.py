"""OpenTelemetry spans: what a request did, from the API to flows in place, by one trace id.  Imports nothing of ours.

Off unless `exporting.on` says otherwise; then `begin` and `child` are a look at one variable.  Not to be confused with
`netweft trace`, which is about packets.
"""
