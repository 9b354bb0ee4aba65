"""Figures for Prometheus, by its own client library; loaded only where they are wanted."""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0)
_TIMES = {
    "wait": "until an answer was begun",
    "sources": "until the sources were shown",
    "first_sentence": "until the first sentence was shown",
    "end": "until the answer was complete",
}


class PrometheusFigures:
    """Those of one server.

    Args:
        gauges: what is read whenever somebody asks for the figures: name → what it is and how it is found.
    """

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = Counter("rag_answers", "Answers that ended, by how", ["outcome"], registry=self._registry)
        self._refused = Counter(
            "rag_refused_requests", "Requests that were refused, by why", ["reason"], registry=self._registry
        )
        self._seconds = {
            name: Histogram(f"rag_{name}_seconds", f"Seconds {what}", registry=self._registry, buckets=_SECONDS)
            for name, what in _TIMES.items()
        }
        for name, (what, read) in gauges.items():
            Gauge(f"rag_{name}", what, registry=self._registry).set_function(read)

    def answered(self, outcome: str, seconds: dict[str, float]) -> None:
        self._answers.labels(outcome).inc()
        for name, value in seconds.items():
            self._seconds[name].observe(value)

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def text(self) -> bytes:
        """In the format that Prometheus reads."""
        return generate_latest(self._registry)
