"""Prometheus metrics: counts and durations, never names or image data.

One registry per process. With several processes (`--workers`), server.py puts the path of a folder in memory into the
environment, and each process sums the values that all of them write there.
"""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

CONTENT_TYPE = CONTENT_TYPE_LATEST
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # name defined by prometheus_client


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "imageprocess_requests",
            "HTTP requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "imageprocess_request_seconds", "Time from request to response", ["route"], registry=self.registry
        )
        self._analysis_seconds = Histogram(
            "imageprocess_analysis_seconds",
            "Time per image, including waiting",
            registry=self.registry,
        )
        self._verdicts = Counter(
            "imageprocess_verdicts", "Images analysed", ["label", "decided_by"], registry=self.registry
        )
        self._failures = Counter(
            "imageprocess_failures", "Images that could not be analysed", ["code"], registry=self.registry
        )
        self._restarts = Counter(
            "imageprocess_worker_restarts", "Workers that ended, by cause", ["reason"], registry=self.registry
        )
        self.waiting = Gauge(
            "imageprocess_waiting",
            "Images waiting for a worker",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.workers = Gauge(
            "imageprocess_workers", "Live workers", registry=self.registry, multiprocess_mode="livesum"
        )

        self.jobs = Gauge(
            "imageprocess_jobs", "Unfinished batch jobs", registry=self.registry, multiprocess_mode="livesum"
        )
        self.jobs_ended = Counter(
            "imageprocess_jobs_ended", "Batch jobs that ended, by outcome", ["state"], registry=self.registry
        )
        self.webhooks = Counter(
            "imageprocess_webhooks", "Webhook deliveries, by outcome", ["state"], registry=self.registry
        )

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        # The pattern of the route, not the path: arbitrary paths of a scanner must not each become a label.
        route = getattr(scope.get("route"), "path", "other")
        method = (
            scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "other"
        )
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def count_record(self, record: dict[str, Any], seconds: float) -> None:
        self._analysis_seconds.observe(seconds)
        if record["status"] == "ok":
            verdict = record["verdict"]
            self._verdicts.labels(verdict["label"], verdict["decided_by"]).inc()
        else:
            self._failures.labels(record["error"]["code"]).inc()

    def count_restart(self, reason: str) -> None:
        self._restarts.labels(reason).inc()

    def render(self) -> bytes:
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        combined = CollectorRegistry()
        MultiProcessCollector(combined)  # type: ignore[no-untyped-call]
        return generate_latest(combined)
