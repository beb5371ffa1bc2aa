"""Metrics for Prometheus, with the names and units of TensorFlow Serving."""

import collections
from collections.abc import Callable, Iterator

import prometheus_client
from prometheus_client.core import UnknownMetricFamily

PATH = "/monitoring/prometheus/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Microseconds: 33 buckets from 10 us to about 20 minutes, as in TensorFlow Serving.
_BUCKETS = [10 * 1.8**power for power in range(33)]
_CODES = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    406: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


class Metrics:
    """Counts and times the requests of a server.

    Args:
        waiting_rows: Function without arguments that returns the rows that wait for a model.
    """

    def __init__(self, waiting_rows: Callable[[], int]) -> None:
        # A registry for each server, without the metrics of the process and of Python.
        self._registry = prometheus_client.CollectorRegistry()
        self._requests: collections.Counter[tuple[str, str]] = collections.Counter()
        self._registry.register(self)
        self._request_latency, self._runtime_latency = (
            prometheus_client.Histogram(
                f":tensorflow:serving:{name}",
                f"Wall time in microseconds of {what}.",
                labels,
                buckets=_BUCKETS,
                registry=self._registry,
            )
            for name, what, labels in (
                ("request_latency", "a request", ["model_name", "API", "entrypoint"]),
                ("runtime_latency", "a run of the model", ["model_name", "API", "runtime"]),
            )
        )
        waiting = prometheus_client.Gauge(
            "tfgans:serving:waiting_rows",
            "Rows that wait for a model or run.",
            registry=self._registry,
        )
        waiting.set_function(waiting_rows)

    def collect(self) -> Iterator[UnknownMetricFamily]:
        """Yields the number of requests, for the registry.

        A `Counter` of prometheus-client would be named `..._total`.
        """
        family = UnknownMetricFamily(
            ":tensorflow:serving:request_count", "Requests.", labels=["model_name", "status"]
        )
        for labels, count in self._requests.items():
            family.add_metric(labels, count)
        yield family

    def count(self, model: str, status: int) -> None:
        """Counts a reply with an HTTP status."""
        self._requests[model, _CODES.get(status, "INTERNAL")] += 1

    def time_request(self, model: str, method: str, seconds: float) -> None:
        """Records the time of a successful request; `method` is empty for GET requests."""
        self._request_latency.labels(model, method, "REST").observe(1e6 * seconds)

    def time_run(self, model: str, seconds: float) -> None:
        """Records the time of a run of the model, which may answer several requests.

        TensorFlow Serving's labels for a run in a session are "Predict" and "TF1".
        """
        self._runtime_latency.labels(model, "Predict", "TF1").observe(1e6 * seconds)

    def page(self) -> bytes:
        """Returns all metrics in Prometheus's text format."""
        return prometheus_client.generate_latest(self._registry)
