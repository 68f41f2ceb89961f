"""Writes `docs/metrics.md` from the definitions: `python -m netweft.metrics.doc > docs/metrics.md`."""

from collections.abc import Iterator, Sequence

from netweft.metrics.definitions import AGENT, SERVER
from netweft.metrics.values import Metric

HEAD = """\
# Metrics

Generated from `src/netweft/metrics/definitions.py`; a test checks that it is current.  Do not edit:
`python -m netweft.metrics.doc > docs/metrics.md`.

Servers and agents answer Prometheus at `/metrics`, each on a socket of its own, where `metrics_listen` names one
([decision 0500](decisions/0500-metrics-have-a-socket-of-their-own.md)); without it nothing listens:

```toml
[server]
metrics_listen = ["192.0.2.10:9697"]    # in the management network, not where users are

[agent]
metrics_listen = ["192.0.2.21:9698"]
```

Who reaches it may read it, without a token, and nothing else.  Labels have few values: names of nodes, bridges, tables,
kinds and states, never of a port, a network, a router or a user.  Besides what is below there is what Prometheus'
library says of a process: `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and so on.

What scrapes them, [alerts](../deploy/prometheus/netweft.rules.yml) and a
[dashboard](../deploy/grafana/netweft.json) for Grafana are in `deploy/`; `make test-deploy` has Prometheus' own tool
look at them, at each query of the dashboard, too.  A test compares the names and labels that they ask for with what
there is.  The dashboard has been read by Grafana's own libraries: `@grafana/schema` 13.2.3 (its types, of the dashboard
and of each panel's options) and `grafana-foundation-sdk` 10.1.0 (read and written again without a difference),
2026-11-29.  It has not been loaded into a running Grafana, which is in none of Debian's, PyPI's and npm's packages.
"""
TAIL = """\
## What they do not say

- **Which** port, network or router: `netweft agent show` and the API do.  Which node has a router's gateway is in the
  API, too; here each node says how many it has.
- Bound to ACTIVE is measured on the node, from when the agent is notified; the request and the feed come before it
  (`netweft_server_request_seconds`, `netweft_server_feed_lag_seconds`).
- A node's lag is what was not sent to it; what was sent and not read waits in TCP, and then the next change waits here.
- Packets that a meter dropped (QoS, limits of what is handed up), or conntrack, end in no flow.
"""


def document() -> str:
    parts = (HEAD, *_table("The server", SERVER), *_table("The agent", AGENT), TAIL)
    return "\n".join(parts)


def _table(title: str, metrics: Sequence[Metric]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |"
    yield ""


if __name__ == "__main__":
    print(document(), end="")
