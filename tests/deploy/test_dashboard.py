"""The dashboard and the alerts ask only for what is measured, in queries that can be parsed."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tasks import metrics

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SENT = {name: one for one in metrics.METRICS for name in one.prometheus_names}
LABELS = {"instance", "job", "le"}


def queries() -> Iterator[tuple[str, str]]:
    """Every query, and where it is."""
    dashboard = json.loads((DEPLOY / "grafana" / "portrayal.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


QUERIES = list(queries())


def parts(node: Any) -> Iterator[Any]:
    """A query's nodes."""
    yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        child = getattr(node, name, None)
        if child is not None and type(child).__module__.startswith("promql_parser"):
            yield from parts(child)
    for child in getattr(node, "args", None) or ():
        yield from parts(child)


@pytest.mark.parametrize(("where", "query"), QUERIES, ids=[where for where, _ in QUERIES])
def test_queries_can_be_parsed_and_ask_for_metrics_that_are_sent(where: str, query: str) -> None:
    found = list(parts(promql_parser.parse(query)))
    selectors = [one for one in found if isinstance(one, promql_parser.VectorSelector)]
    assert {one.name for one in selectors} == set(re.findall(r"portrayal_\w+", query)) and selectors
    for selector in selectors:
        assert selector.name in SENT, f"{where}: no metric is called {selector.name}"
        labels = {*SENT[selector.name].attributes, *LABELS}
        assert {one.name for one in selector.matchers.matchers} <= labels
    # A process may live for less than a minute: what it counted is extrapolated to half as much again.
    assert "increase(" not in query
    made = re.findall(r'label_replace\(.*?, "(\w+)"', query)
    known = LABELS.union(made, *(SENT[one.name].attributes for one in selectors))
    for grouping in re.findall(r"\bby \(([^)]*)\)", query):
        assert {one.strip() for one in grouping.split(",")} <= known


def test_every_metric_is_on_the_dashboard() -> None:
    asked = " ".join(query for _, query in QUERIES)
    for one in metrics.METRICS:
        assert any(name in asked for name in one.prometheus_names), one.name


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "portrayal.json").read_text(encoding="utf-8"))
    assert dashboard["uid"] == "portrayal" and dashboard["schemaVersion"] >= 39 and "id" not in dashboard
    (source,) = dashboard["templating"]["list"]
    panels = dashboard["panels"]
    assert len({one["id"] for one in panels}) == len(panels) == len({one["title"] for one in panels})
    covered: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["type"] in ("stat", "timeseries")
        for shown in (panel, *panel["targets"]):
            assert shown["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"}
        assert [one["refId"] for one in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & covered and at["x"] + at["w"] <= 24, f"{panel['title']} lies on another panel"
        covered |= cells


def test_every_alert_fires_and_keeps_silent_when_it_should() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules.test.yaml").read_text(encoding="utf-8"))["tests"]
    expected = [(one["alertname"], bool(one["exp_alerts"])) for test in tests for one in test["alert_rule_test"]]
    assert set(expected) == {(rule["alert"], fires) for rule in rules for fires in (True, False)}
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool to run the tests of the rules with: install it (`apt install prometheus`)")
    place = DEPLOY / "prometheus" / "rules.test.yaml"
    done = subprocess.run([promtool, "test", "rules", place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_have_what_prometheus_and_people_need() -> None:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"Portrayal[A-Za-z]+", rule["alert"]) and rule["labels"]["severity"] in (
            "warning",
            "critical",
        )
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m")) and rule["annotations"]["summary"]
    names = {rule["alert"] for rule in group["rules"]}
    assert {"PortrayalNothingFinished", "PortrayalSegmentsFail", "PortrayalZombieRows", "PortrayalDiskLow"} <= names
