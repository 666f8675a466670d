"""How large a fleet has to be, from what finished videos have cost; and the process that tells a collector how much waits."""

import math
import threading
from dataclasses import asdict, dataclass
from typing import Any

from flows.console import print_table
from flows.report import duration
from media.errors import InputError
from tasks import metrics, workspace


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is needed, and what that rests on."""

    devices: int
    """GPUs, or processors where rendering is done by processors."""
    video_hours: float
    hours: float
    busy: float
    work_per_second: float
    """Device-seconds for one second of finished video: measured."""
    videos: int
    """That it was measured on."""
    seconds_of_video: float
    seconds_of_work: float
    days: float

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def devices_needed(video_hours: float, hours: float, work_per_second: float, busy: float) -> int:
    """Devices that make `video_hours` of video within `hours`.

    Each gives `hours * busy` hours of rendering, and an hour of video takes `work_per_second` of them.
    """
    # A whole number that only rounding has made a little larger is not one device more.
    return math.ceil(round(video_hours * work_per_second / (hours * busy), 9))


def fleet_for(video_hours: float, hours: float, *, days: float = 30.0, busy: float = 0.85) -> Fleet:
    """What a night's work needs, by the videos in the catalog.

    Args:
        video_hours: of finished video, all languages together.
        hours: in which it has to be finished.
        days: only videos that were finished in so many days count.
        busy: share of the time in which a renderer really renders.

    Raises:
        InputError: nothing was rendered in those days.
    """
    from catalog.session import session_factory
    from catalog.workload import measured_work

    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        measured = measured_work(session, days)
    if not measured.videos:
        raise InputError(
            f"no video that took rendering was finished in the last {days:g} days, so nothing is measured; produce one of the "
            "kind that you will make, on the machines that will make it."
        )
    ratio = measured.seconds_of_work / measured.seconds_of_video
    return Fleet(
        devices=devices_needed(video_hours, hours, ratio, busy),
        video_hours=video_hours,
        hours=hours,
        busy=busy,
        work_per_second=round(ratio, 4),
        videos=measured.videos,
        seconds_of_video=round(measured.seconds_of_video, 3),
        seconds_of_work=round(measured.seconds_of_work, 3),
        days=days,
    )


def print_fleet(fleet: Fleet) -> None:
    """Print what is needed, with the arithmetic."""
    one = fleet
    print_table(
        f"{one.devices} GPUs or processors for {one.video_hours:g} h of video in {one.hours:g} h",
        ("", ""),
        [
            (
                "Measured",
                f"{one.videos} videos of {duration(one.seconds_of_video)}, finished in {one.days:g} days, took "
                f"{duration(one.seconds_of_work)} of rendering: {one.work_per_second:g} s for each second of video",
            ),
            (
                "Arithmetic",
                f"{one.video_hours:g} h x {one.work_per_second:g} / ({one.hours:g} h x {one.busy:g} busy) = "
                f"{one.video_hours * one.work_per_second / (one.hours * one.busy):.2f}, rounded up",
            ),
            ("Counted in", "GPU-seconds where a GPU rendered, processor-seconds of one core where none did"),
        ],
    )


def send_metrics() -> None:
    """Send what waits to the collector, until the process is stopped.

    Raises:
        InputError: no collector is named.
    """
    if not metrics.enabled():
        raise InputError("no collector is named; set OTEL_EXPORTER_OTLP_ENDPOINT to one that takes OTLP over HTTP.")
    workspace.catalog()  # a catalog that cannot be opened is said now
    metrics.start()
    metrics.flush()
    threading.Event().wait()
