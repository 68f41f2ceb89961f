"""What is measured of the metadata service, wherever it runs."""

from collections.abc import Iterator

from netweft.agent.metadata.side import MetadataSide
from netweft.metrics import definitions as metrics
from netweft.metrics.values import Reading


def readings(service: MetadataSide) -> Iterator[Reading]:
    """A series that comes and goes is no alarm's: also of classes of which there was no answer."""
    yield from metrics.METADATA_ANSWERS.each((dict.fromkeys(("2xx", "4xx", "5xx"), 0) | service.said).items())
    yield metrics.METADATA_CONNECTIONS.at(service.connected)
    yield metrics.METADATA_REFUSED.at(service.refused)
