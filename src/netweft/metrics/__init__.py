"""What server and agent say at `/metrics`, for Prometheus: what there is (`definitions`), and how it is said.

Whoever counts keeps plain numbers of his own, always; nothing is worked out before somebody asks.  So without
`metrics_listen` nothing of this package is more than that, and Prometheus' library is not even imported.
"""
