"""What `/metrics` shows to Prometheus; labels are routes and states, never what a client wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The metrics of one service. `waiting`: requests that no worker has taken yet."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("mien_requests", "Requests", ("route", "method", "status"), registry=self.registry)
        self._seconds = Histogram(
            "mien_request_seconds", "From request to response", ("route",), buckets=_SECONDS, registry=self.registry
        )
        self._batch = Histogram(
            "mien_batch_images", "Images predicted together", buckets=(1, 2, 4, 8, 16, 32), registry=self.registry
        )
        self._batch_seconds = Counter("mien_predict_seconds", "Spent on batches", registry=self.registry)
        Gauge("mien_waiting_requests", "In the queue", registry=self.registry).set_function(waiting)
        self._jobs = Gauge("mien_jobs", "Jobs", ("state",), registry=self.registry)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """One request has its response."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, images: int, seconds: float) -> None:
        """One batch is predicted."""
        self._batch.observe(images)
        self._batch_seconds.inc(seconds)

    def page(self, jobs: Mapping[str, int]) -> bytes:
        """The text that Prometheus reads; `jobs`: how many in each state."""
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)
        return generate_latest(self.registry)
