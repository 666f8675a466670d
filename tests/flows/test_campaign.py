"""Campaigns from the command line, on a real Prefect server: queue, run, approve, report; all rows or none."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from flows.report_files import as_csv, as_html
from tests.media.test_webhooks import Receiver

HELLO = """\
title: For {name}
language: en
speaker: Maya = feminine
MAYA: Hi {name}.
  es: Hola {name}.
MAYA: Bye!
  es: ¡Adiós!
"""
TABLE = "request_id,source,languages,var.name\na,hello.txt,en es,Ana\nb,hello.txt,en,Bo\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "hello.txt").write_text(HELLO, encoding="utf-8")
    path = tmp_path / "spring.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_every_problem_of_every_row_is_named_and_nothing_is_queued(portrayal: Callable[..., Any], table: Path) -> None:
    table.write_text(
        TABLE + "c,hello.txt,fr,Cy\nd,../up.txt,en,Di\ne,hello.txt,en,\nf,hello.txt,,Fay\nf,hello.txt,,F\n"
    )
    answer = portrayal("campaign", "queue", table, "--out", "out", "--json")
    assert answer.code == 1 and "nothing is queued" in answer.err
    found = [(one["row"], one["column"]) for one in answer.json["problems"]]
    assert found == [(4, "languages"), (5, "source"), (6, "variables"), (8, "request_id")]
    assert portrayal("campaign", "status", "--json").json == [] and not Path("out").exists()


def test_a_dry_run_estimates_and_queues_nothing_and_the_same_file_is_queued_once(
    portrayal: Callable[..., Any], table: Path
) -> None:
    queue = ("campaign", "queue", table, "--out", "out", "--budget", "0.01", "--json")
    dry = portrayal(*queue, "--dry-run").json
    assert (dry["new"], dry["dry_run"]) == (2, True) and dry["gpu_minutes"] > 0 and dry["gpu_minutes_shared"] > 0
    assert any("budget" in one for one in dry["warnings"])
    assert portrayal("campaign", "status", "--json").json == []
    assert [portrayal(*queue).json[name] for name in ("new",)] == [2]
    assert portrayal(*queue).json["new"] == 0
    table.write_text(TABLE.replace("Bo", "Bob") + "c,hello.txt,en,Cy\n")
    assert portrayal(*queue).code == 1
    assert [one["state"] for one in portrayal("campaign", "status", "spring", "--json").json] == ["queued", "queued"]
    assert portrayal("campaign", "cancel", "spring", "--json").json["rows"] == 2
    assert portrayal("campaign", "approve", "summer").code == 1


def test_what_keeps_a_campaign_from_going_on_is_said_before_anything_is_started(
    portrayal: Callable[..., Any], table: Path
) -> None:
    assert "Nothing is queued yet" in portrayal("campaign", "run").out
    queue = ("campaign", "queue", table, "--out", "out")
    assert portrayal(*queue, "--budget", "0.01", "--deadline", "2020-01-01").code == 0
    assert "keeps a budget of 0.01 GPU-minutes" in portrayal(*queue, "--budget", "9").out

    def said() -> str:
        """What a runner prints that finds nothing to begin, and `status` says as well."""
        answer = portrayal("campaign", "run", "spring")
        assert answer.code == 0 and answer.out.startswith("0 rows worked on") and "Prefect" not in answer.err
        told = str(answer.out.split("begun.\n", 1)[1])
        assert told in portrayal("campaign", "status", "spring").out
        return told

    assert "spring: 2 rows would go beyond the budget of 0.01 GPU-minutes" in said()
    assert portrayal("campaign", "budget", "spring").code == 1
    assert portrayal("campaign", "budget", "spring", "--unlimited").code == 0
    assert "spring: the deadline of 2 rows is over" in portrayal("campaign", "status").out
    assert portrayal("campaign", "pause", "spring").code == 0
    assert "spring is paused, and 2 rows wait: `portrayal campaign resume spring`" in said()
    for campaign in (("spring",), ()):
        watched = portrayal("campaign", "status", *campaign, "--watch")
        assert watched.code == 2 and "spring is paused, and 2 rows wait" in watched.out, "nothing is waited for"
    assert portrayal("campaign", "resume", "spring").code == portrayal("campaign", "cancel", "spring").code == 0
    assert "spring is cancelled: `portrayal campaign retry spring --cancelled`" in said()
    assert portrayal("campaign", "status", "spring", "--watch").code == 0
    assert portrayal("campaign", "retry", "spring", "--cancelled", "--json").json["rows"] == 2
    assert portrayal("campaign", "run", "autumn").code == 1


def test_who_was_chosen_for_all_rows_and_may_not_be_shown_any_more_is_replaced_on_retry(
    portrayal: Callable[..., Any], table: Path
) -> None:
    from catalog.campaigns import Outcome, claim, find_campaign, finish, rows_of
    from catalog.session import session_factory
    from tasks import workspace

    table.write_text(
        TABLE.replace("var.name", "var.name,cast").replace("Ana", "Ana,").replace("Bo", "Bo,Maya=leila-haddad")
    )
    assert portrayal("campaign", "queue", table, "--out", "out", "--weight", "voice=2").code == 0
    sessions = session_factory(workspace.catalog())

    def requests() -> list[dict[str, Any]]:
        with sessions() as session:
            return [one.request for one in rows_of(session, find_campaign(session, "spring"))]

    chosen, wished = requests()
    assert wished["cast"] == {"Maya": "leila-haddad"} and wished["reasons"] == {}
    assert chosen["reasons"]["Maya"].endswith("; weights voice=2")
    for slug in (chosen["cast"]["Maya"], "leila-haddad"):
        assert portrayal("catalog", "retire", slug).code == 0
    for _ in range(2):
        with sessions.begin() as session:
            mine = claim(session, "me", 60)
            assert mine is not None and finish(session, mine, Outcome("failed", "rights", "retired"))
    answer = portrayal("campaign", "retry", "spring", "--failed")
    now_chosen, still_wished = requests()
    assert still_wished == wished and now_chosen["cast"]["Maya"] not in (chosen["cast"]["Maya"], "leila-haddad")
    assert f"Maya is '{now_chosen['cast']['Maya']}' now, for '{chosen['cast']['Maya']}'" in answer.out


def test_a_priority_of_rows_is_that_of_their_clips_and_may_change_without_another_request(
    portrayal: Callable[..., Any], table: Path
) -> None:
    from catalog.campaigns import requests_before
    from catalog.session import session_factory
    from tasks import workspace

    lines = ("a,hello.txt,en,Ana,urgent", "b,hello.txt,en,Bo,", "c,hello.txt,en,Cy,-49", "d,hello.txt,en,Di,-60")
    table.write_text("\n".join(("request_id,source,languages,var.name,priority", *lines)))
    queue = ("campaign", "queue", table, "--out", "out", "--engine", "render=still", "--json")
    assert "--priority soon: it must be urgent, normal, batch or" in portrayal(*queue, "--priority", "soon").err
    assert portrayal(*queue).json["new"] == 4
    with session_factory(workspace.catalog(), read_only=True).begin() as session:
        requests = {one["name"]: one for one in requests_before(session, "spring")}
    assert {name: one["priority"] for name, one in requests.items()} == {
        "a": "urgent", "b": None, "c": "normal", "d": "batch",
    }  # fmt: skip
    table.write_text(table.read_text().replace("urgent", "batch"))
    assert portrayal(*queue, "--priority", "urgent").json["new"] == 0


@pytest.mark.slow
def test_a_campaign_is_run_approved_and_told_about(
    prefect_server: str, portrayal: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = Receiver()
    queue = ["campaign", "queue", table, "--out", "out", "--engine", "render=still", "--approve"]
    assert "WEBHOOK_SECRET" in portrayal(*queue, "--webhook", receiver.url).err
    monkeypatch.setenv("PORTRAYAL_WEBHOOK_SECRET", "a secret of the two of us")
    assert "private" in portrayal(*queue, "--webhook", receiver.url.replace("http:", "https:")).err
    monkeypatch.setenv("PORTRAYAL_WEBHOOK_ALLOW_PRIVATE", "true")
    assert portrayal(*queue, "--webhook", receiver.url).code == 0
    answer = portrayal("campaign", "run", "spring", "--json")
    assert answer.code == 0 and answer.json["by_state"] == {"awaiting approval": 2}, answer.err
    assert not Path("out/a").exists()
    assert portrayal("campaign", "approve", "spring", "--row", "a", "--by", "Jo").code == 0
    record = json.loads(Path("out/a/production.json").read_text())
    videos = {one["language"]: Path(one["video"]) for one in record["renditions"]}
    assert all(video.is_file() and video.parent == Path("out/a").absolute() for video in videos.values())
    assert set(videos) == {"en", "es"} and ".unpublished" not in json.dumps(record)
    # Who is cast for one row is cast for all, so "Bye!" is rendered once for both.
    other = json.loads(Path("out/.unpublished/b/production.json").read_text())
    assert [one["portrait"] for one in other["portraits"]] == [one["portrait"] for one in record["portraits"]]
    assert {one["language"]: one["reused"] for one in other["renditions"]} == {"en": 2}
    shown = {one["title"]: one for one in portrayal("report", "--json").json}
    assert Path(shown["For Ana"]["renditions"][0]["video"]).is_file()

    slug = record["portraits"][0]["portrait"]
    assert portrayal("catalog", "retire", slug).code == 0
    answer = portrayal("campaign", "approve", "spring", "--json")
    assert answer.code == 2 and "retired" in answer.json["problems"][0] and not Path("out/b").exists()
    states = {
        one["request_id"]: (one["state"], one["cause"])
        for one in portrayal("campaign", "status", "spring", "--json").json
    }
    assert states == {"a": ("done", None), "b": ("failed", "rights")}
    messages = [json.loads(body) for _, body in receiver.received]
    told = [one["data"] for one in messages if one["type"] == "production.state"]
    (finished,) = (one["data"] for one in messages if one["type"] == "campaign.finished")
    assert finished["productions"] == {"done": 1, "incomplete": 0, "failed": 1, "cancelled": 0}
    assert [one["to"] for one in told if one["request_id"] == "a"] == ["queued", "running", "awaiting approval", "done"]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == len(messages) == len(told) + 1 == 9
    assert portrayal("campaign", "webhooks", "spring", "--json").json["waiting"] == 0
    receiver.stop()
    assert portrayal("campaign", "retry", "spring", "--failed", "--json").json["rows"] == 1

    figures = portrayal("report", "--format", "json").json
    assert figures["campaign_progress"][0]["done"] == 1 and figures["portrait_usage"][0]["portrait"] == slug
    assert portrayal("report", "--format", "html", "--out", "report.html").code == 0
    assert "For Ana" in Path("report.html").read_text(encoding="utf-8")
    assert portrayal("report", "--format", "csv").code == 1
    assert portrayal("report", "--format", "csv", "--figure", "cache_hits").out.startswith("\ufefflanguage,turns")
    assert "campaign_progress" in portrayal("report", "--format", "table").out


@pytest.mark.slow
def test_a_runner_that_is_told_to_stop_returns_its_row(
    prefect_server: str, portrayal: Callable[..., Any], table: Path
) -> None:
    assert portrayal("campaign", "queue", table, "--out", "out", "--engine", "render=still").code == 0
    command = [sys.executable, "-m", "flows.cli", "campaign", "run", "spring"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    runner = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
    assert runner.stderr is not None
    said = ""
    for line in runner.stderr:
        said += line
        if "spring a: running" in line:
            runner.send_signal(signal.SIGTERM)
    assert (runner.wait(60), said.splitlines()[-1]) == (
        143,
        "portrayal: stopped: it was told to (SIGTERM); what it worked on is in the queue again.",
    )
    states = [(one["state"], one["attempts"]) for one in portrayal("campaign", "status", "spring", "--json").json]
    assert states == [("queued", 0), ("queued", 0)]


def test_a_runner_whose_prefect_server_is_gone_stops_with_a_sentence_and_returns_its_row(
    portrayal: Callable[..., Any], table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    gone = "http://127.0.0.1:9/api"
    monkeypatch.setenv("PREFECT_API_URL", gone)
    assert portrayal("campaign", "queue", table, "--out", "out", "--engine", "render=still").code == 0
    with temporary_settings({PREFECT_API_URL: gone, PREFECT_CLIENT_MAX_RETRIES: 0}):
        answer = portrayal("campaign", "run", "spring")
    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err.count("\n") <= 3 and "Prefect's server does not answer" in answer.err and "queue again" in answer.err
    )
    states = [(one["state"], one["attempts"]) for one in portrayal("campaign", "status", "spring", "--json").json]
    assert states == [("queued", 0), ("queued", 0)]


NASTY = '=HYPERLINK("http://x"), <script>alert(1)</script>'


def test_exports_hold_no_formulas_and_the_page_no_markup_of_others() -> None:
    rows = [{"campaign": NASTY, "cause": "\t@SUM(1)", "state": "failed", "productions": -3, "last_at": None}]
    (cells,) = csv.DictReader(io.StringIO(as_csv(rows).removeprefix("\ufeff")))
    assert cells["campaign"] == "'" + NASTY and cells["cause"].startswith("'") and cells["productions"] == "-3"
    page = as_html({"failures": rows, "productions": [], "cache_hits": [{"language": NASTY, "hit_rate": 0.5}]})

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[tuple[str, dict[str, str | None]]] = []

        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            self.found.append((tag, dict(attributes)))

    reader = Tags()
    reader.feed(page)
    assert "dl" in {tag for tag, _ in reader.found}
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.found}
    assert not any(name in attributes for _, attributes in reader.found for name in ("src", "href", "onload"))


def test_a_page_of_many_productions_shows_the_last_and_says_where_the_others_are() -> None:
    rows = [{"title": f"talk {number}", "language": "en", "rendition_state": "done"} for number in range(500)]
    page = as_html({"productions": rows})
    assert page.count("<tr>") == 1 + 200 and "talk 0<" in page and "talk 200<" not in page
    assert "The first 200 of 500; all of them: <code>portrayal report --format csv --figure productions</code>" in page
    assert "prefers-color-scheme:dark" in page and 'class="scroll" tabindex="0"' in page
