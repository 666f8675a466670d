"""Figures of a running process for OpenTelemetry: on where OTEL_EXPORTER_OTLP_ENDPOINT names a collector, free where not.

Every metric is declared here, with its unit and its attributes; docs/orchestration.md explains them, and the dashboard and
the alerts in `deploy` are tested against this list. OpenTelemetry is imported when the first figure is noted.
"""

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from media.errors import PortrayalError

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource

    from catalog.workload import Backlog

log = logging.getLogger("portrayal")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
TIMEOUT_SECONDS = 3.0
"""A collector that does not answer delays the end of a command by so much at most."""
CATALOG_SECONDS = 30.0
"""The catalog may take so long to say what waits; on a busy machine that is more than one would think."""
_STAGE_BOUNDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 8 * 3600)

Kind = Literal["counter", "updown", "histogram", "gauge"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure. Names and units are stable: dashboards rest on them."""

    name: str
    kind: Kind
    unit: str
    """In UCUM: `s`, `By`, or what is counted, in braces."""
    description: str
    attributes: tuple[str, ...] = ()

    @property
    def prometheus_names(self) -> tuple[str, ...]:
        """What Prometheus calls it, by the rules of OpenTelemetry's translation: a histogram has three names."""
        name = self.name.replace(".", "_") + {"s": "_seconds", "By": "_bytes"}.get(self.unit, "")
        if self.kind == "counter":
            return (f"{name}_total",)
        if self.kind == "histogram":
            return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
        return (name,)


VIDEO = Metric("portrayal.video.rendered", "counter", "s", "Length of the clips that were rendered", ("device",))
WORK = Metric("portrayal.render.work", "counter", "s", "CPU- or GPU-seconds that they took", ("device",))
RESTARTS = Metric("portrayal.renderer.restarts", "counter", "{restart}", "Renderers that were replaced", ("reason",))
WAITING = Metric("portrayal.segments.waiting", "updown", "{segment}", "Segments of running productions to be rendered")
LOOKUPS = Metric(
    "portrayal.cache.lookups", "counter", "{lookup}", "Clips and spoken turns that were needed", ("kind", "result")
)
FAILURES = Metric(
    "portrayal.failures", "counter", "{failure}", "Segments and productions that failed", ("what", "cause")
)
RENDITIONS = Metric("portrayal.renditions", "counter", "{video}", "Videos that were published or not", ("outcome",))
STAGES = Metric("portrayal.stage.duration", "histogram", "s", "How long a stage of a production took", ("stage",))
ROWS = Metric("portrayal.campaign.rows", "gauge", "{row}", "Rows of campaigns in the catalog", ("state",))
EXPIRED = Metric("portrayal.leases.expired", "gauge", "{row}", "Rows that a runner holds which gives no sign of life")
RUNNING = Metric("portrayal.renditions.running", "gauge", "{video}", "Videos that are worked on, by the catalog")
OLDEST = Metric("portrayal.renditions.oldest", "gauge", "s", "Since work began on the oldest of them")
FINISHED = Metric("portrayal.finished.age", "gauge", "s", "Since the last video was finished, or the first begun")
DISK = Metric("portrayal.disk.free", "gauge", "By", "Room on the disk of PORTRAYAL_HOME")

METRICS = (
    *(VIDEO, WORK, RESTARTS, WAITING, LOOKUPS, FAILURES, RENDITIONS, STAGES),
    *(ROWS, EXPIRED, RUNNING, OLDEST, FINISHED, DISK),
)

# Counters begin at a zero that is exported: what a process counts in its first minute would not count as an increase.
_ZEROS: tuple[tuple[Metric, dict[str, str]], ...] = (
    (WAITING, {}),
    *((RESTARTS, {"reason": one}) for one in ("lost", "stalled", "memory")),
    *((LOOKUPS, {"kind": kind, "result": result}) for kind in ("clip", "speech") for result in ("hit", "miss")),
    *((RENDITIONS, {"outcome": one}) for one in ("done", "incomplete", "refused")),
    *(
        (FAILURES, {"what": what, "cause": cause})
        for what in ("segment", "production")
        for cause in ("input", "rights", "engine", "translation", "rendering", "unexpected")
    ),
)


def enabled() -> bool:
    """Whether a collector is named."""
    return any(os.environ.get(name) for name in ENDPOINTS) and os.environ.get("OTEL_SDK_DISABLED") != "true"


def start() -> None:
    """Begin to send metrics, before the first thing is counted."""
    if enabled():
        _exporter()


def add(metric: Metric, amount: float, **attributes: str) -> None:
    """Add to a counter; to one that goes up and down, the amount may be negative."""
    if enabled():
        _exporter().instruments[metric.name].add(amount, attributes)


def record(metric: Metric, value: float, **attributes: str) -> None:
    """Note one value of a histogram."""
    if enabled():
        _exporter().instruments[metric.name].record(value, attributes)


def failed(what: Literal["segment", "production"], error: BaseException) -> None:
    """Count a failure by its cause."""
    if enabled():
        from tasks.campaign_runner import cause_of

        cause = cause_of(error) if isinstance(error, PortrayalError) else "unexpected"
        add(FAILURES, 1, what=what, cause=cause)


def rendered(seconds_of_video: float, seconds_of_work: float, device: Literal["cpu", "gpu"]) -> None:
    """Count a clip that was just rendered."""
    add(VIDEO, seconds_of_video, device=device)
    add(WORK, seconds_of_work, device=device)


def flush() -> None:
    """Send what was noted, at the end of a production: its process may be stopped right afterwards."""
    if _current is not None:
        _current.flush()


def close() -> None:
    """Send what was noted, and stop: at the end of the process."""
    global _current
    if _current is not None and _current.pid == os.getpid():
        _current.close()
    _current = None


class _Exporter:
    """The instruments by name, and the thread of the SDK that sends what they hold once a minute."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        import catalog.workload  # noqa: F401  which the thread that sends will need
        from tasks import portraits, workspace  # noqa: F401

        self.pid = os.getpid()
        timeout = None if "OTEL_EXPORTER_OTLP_TIMEOUT" in os.environ else TIMEOUT_SECONDS
        exporter = OTLPMetricExporter(timeout=timeout)
        reader = PeriodicExportingMetricReader(exporter)
        # Without a name of its own, a process would go on with the counters of the one before it.
        resource = Resource.create({"service.name": "portrayal", "service.instance.id": _instance()})
        self._provider: MeterProvider = MeterProvider([reader], resource, shutdown_on_exit=False)
        self.instruments = _counters(self._provider)
        for one, measure in _gauges().items():
            self._provider.get_meter("portrayal").create_observable_gauge(
                one.name, [_observing(measure)], one.unit, one.description
            )
        # In a thread, which imports nothing: what is imported by two at once may be waited for by both for ever.
        self._first = threading.Thread(
            target=exporter.export, args=(_zeros(resource),), name="first metrics", daemon=True
        )
        self._first.start()
        atexit.register(close)

    def flush(self) -> None:
        with _told():
            self._provider.force_flush(int(1000 * CATALOG_SECONDS))

    def close(self) -> None:
        self._first.join(TIMEOUT_SECONDS)
        with _told():
            self._provider.shutdown(1000 * CATALOG_SECONDS)


@contextmanager
def _told() -> Iterator[None]:
    """OpenTelemetry raises what it cannot measure in time; nothing that is made may fail for it."""
    try:
        yield
    except Exception as error:
        log.warning("Not all metrics were sent: %s", str(error).replace("\n", " "))


def _counters(provider: "MeterProvider") -> dict[str, Any]:
    """The instruments that are counted with, by name, each at zero."""
    from tasks.rendering import gpus

    meter = provider.get_meter("portrayal")
    make: dict[Kind, Callable[..., Any]] = {
        "counter": meter.create_counter,
        "updown": meter.create_up_down_counter,
        "histogram": lambda *one: meter.create_histogram(*one, explicit_bucket_boundaries_advisory=_STAGE_BOUNDS),
    }
    made = {one.name: make[one.kind](one.name, one.unit, one.description) for one in METRICS if one.kind != "gauge"}
    device = {"device": "gpu" if gpus() else "cpu"}
    for metric, attributes in (*_ZEROS, (VIDEO, device), (WORK, device)):
        made[metric.name].add(0, attributes)
    return made


def _zeros(resource: "Resource") -> "MetricsData":
    """All counters at zero: what is collected later may have been counted with, or wait for the catalog."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource, shutdown_on_exit=False)
    _counters(provider)
    zeros = reader.get_metrics_data()
    provider.shutdown()
    assert zeros is not None, "it has just been added to"
    return zeros


_current: _Exporter | None = None
_starting = threading.Lock()


def _exporter() -> _Exporter:
    global _current
    with _starting:
        if _current is None or _current.pid != os.getpid():
            _current = _Exporter()
        return _current


def _instance() -> str:
    import socket
    import uuid

    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


Measured = Iterable[tuple[float, dict[str, str]]]


def _gauges() -> dict[Metric, Callable[[], Measured]]:
    """What is looked up each time that metrics are sent."""
    return {
        ROWS: lambda: [(count, {"state": state}) for state, count in _backlog().rows.items()],
        EXPIRED: lambda: [(_backlog().expired_leases, {})],
        RUNNING: lambda: [(_backlog().running, {})],
        OLDEST: lambda: [(_backlog().oldest_running_s, {})],
        FINISHED: lambda: [(age, {}) for age in (_backlog().since_finished_s,) if age is not None],
        DISK: lambda: [(_free_bytes(), {})],
    }


def _observing(measure: Callable[[], Measured]) -> "Callable[[CallbackOptions], Iterator[Observation]]":
    def observe(_: "CallbackOptions") -> "Iterator[Observation]":
        from opentelemetry.metrics import Observation
        from sqlalchemy.exc import SQLAlchemyError

        try:
            found = list(measure())
        except (SQLAlchemyError, PortrayalError, OSError):
            return  # a database that does not answer is not measured; production says what is wrong with it
        for value, attributes in found:
            yield Observation(value, attributes)

    return observe


def _backlog() -> "Backlog":
    # One question for all gauges that are sent together.
    return _backlog_at(int(time.monotonic() / 2), os.environ.get("PORTRAYAL_DATABASE_URL"))


@lru_cache(maxsize=1)
def _backlog_at(moment: int, url: str | None) -> "Backlog":
    from catalog.session import session_factory
    from catalog.workload import backlog
    from tasks import workspace

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        return backlog(session)


def _free_bytes() -> int:
    import shutil

    from tasks import workspace

    home = workspace.settings().home.resolve()
    return shutil.disk_usage(home if home.exists() else home.parent).free
