"""Readings as Prometheus takes them, by its own library.  Nothing is kept from one page to the next."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from netweft.metrics.values import Metric, Reading, Timings


def render(metrics: Sequence[Metric], readings: Iterable[Reading], accept: str = "") -> tuple[bytes, str]:
    """The page and its content type.  A metric that nothing was read of is named with its meaning alone."""
    registry = CollectorRegistry()
    registry.register(_Readings(metrics, readings))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Readings(Collector):
    def __init__(self, metrics: Sequence[Metric], readings: Iterable[Reading]) -> None:
        self._metrics = metrics
        self._by_metric: defaultdict[Metric, list[Reading]] = defaultdict(list)
        for reading in readings:
            self._by_metric[reading.metric].append(reading)

    def collect(self) -> Iterator[Family]:
        for metric in self._metrics:
            yield _family(metric, self._by_metric.get(metric, ()))


def _family(metric: Metric, readings: Iterable[Reading]) -> Family:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.about, labels=metric.labels)
        for one in readings:
            assert isinstance(one.value, Timings)
            histogram.add_metric(one.labels, one.value.buckets, one.value.seconds)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.about, labels=metric.labels)
    for one in readings:
        assert not isinstance(one.value, Timings)
        family.add_metric(one.labels, one.value)
    return family
