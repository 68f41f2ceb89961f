"""The feed for whoever is no node: what changed, as far as the caller may see it, from a place on (decision 0623).

`sight` and `policies` say what of a change is for whom, here and for the dashboard's pages; `reading` what is told;
`endpoint` tells it as lines of JSON over HTTP, `webhooks` in POSTs.
"""
