"""The flow `report`: every morning, the figures of the catalog as one HTML page."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.report import productions
from flows.report_files import as_html, figures, flat
from flows.watching import where_it_is
from media.atomic import whole_file
from tasks import workspace


@flow(
    name="report",
    description="Writes the figures of the catalog as one HTML page.",
    persist_result=False,
    retries=2,
    retry_delay_seconds=60,
)
def report() -> str:
    """Write `report-DATE.html` into the folder of PORTRAYAL_REPORTS_DIR, or else into the artifact store.

    Returns:
        Where it is. A second report of the same day replaces the first.

    Raises:
        InputError: it cannot be written.
    """
    at = datetime.now(UTC)
    page = as_html(figures() | {"productions": flat(productions())}, at)
    name = f"report-{at:%Y-%m-%d}.html"
    if (folder := workspace.settings().reports_dir) is not None:
        place = str(folder.resolve() / name)
        with whole_file(folder.resolve() / name) as draft:
            draft.write_text(page, encoding="utf-8")
    else:
        place = workspace.store().uri(f"reports/{name}")
        with workspace.store().writing(f"reports/{name}") as draft:
            draft.write_text(page, encoding="utf-8")
    get_run_logger().info("%s", place)
    create_markdown_artifact(where_it_is(place), key="report", description=f"Figures of {at:%Y-%m-%d}")
    return place
