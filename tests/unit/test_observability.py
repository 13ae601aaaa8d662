"""What Prometheus and Grafana are given fits the code: names, labels, runbook; and the docs."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from prometheus_client import CollectorRegistry

from adapters.http.metrics import ConsumerMetrics, RequestMetrics
from adapters.memory.database import MemoryDatabase
from adapters.telemetry.measures import Measures
from adapters.telemetry.verification import VerificationMetrics
from domain.observing import Part
from domain.records import ConsumerName
from entrypoints import bootstrap
from entrypoints.health import STUCK_SECONDS
from tests.pages import CODE, anchors, table
from tests.samples import SOURCE

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
README = ROOT / "README.md"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "touchline.json").read_text())
QUERIES = {rule["alert"]: rule["expr"] for rule in ALERTS} | {
    f"{panel['title']} {target['refId']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
}
each_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])

FUNCTIONS = {"rate", "increase", "histogram_quantile", "min_over_time", "time", "sum", "max"}
WORDS = {"by", "and", "or"}
GIVEN = {"job", "instance", "le"}
"""Labels that Prometheus itself adds."""


class Lying:
    """A feed or a runner, as far as it is measured."""

    name = ConsumerName.EVENT_WRITER
    open_streams = 0
    turn_age = 0.0
    trouble = None

    def readings(self) -> list[Any]:
        return []


def exposed() -> dict[str, set[str]]:
    """Every metric that some process exposes, as it is queried, with its labels."""
    registry = bootstrap._api_registry(
        cast("Any", Lying()), cast("Any", MemoryDatabase()), [cast("Any", Lying())], Measures()
    )
    RequestMetrics(cast("Any", None), registry=registry)
    VerificationMetrics(registry)
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        labels = LABELS.get(family.name, set())
        match family.type:
            case "counter":
                found[f"{family.name}_total"] = labels
            case "histogram":
                for suffix in ("", "_bucket", "_sum", "_count"):
                    found[family.name + suffix] = labels
            case _:
                found[family.name] = labels
    return found


def labels_by_name() -> Iterator[tuple[str, set[str]]]:
    """The labels that each metric has when it has a sample."""
    registry = CollectorRegistry()
    measures = Measures()
    measures.took(ConsumerName.EVENT_WRITER, Part.POLL, 1)
    measures.batch(ConsumerName.EVENT_WRITER, {SOURCE: 1})
    measures.goal(1)
    registry.register(measures)
    for family in registry.collect():
        yield family.name, {label for s in family.samples for label in s.labels} - {"le"}
    for collector in (ConsumerMetrics([]),):
        for metric in collector.collect():
            yield metric.name, set(getattr(metric, "_labelnames", ()))
    requests = RequestMetrics(cast("Any", None), registry=CollectorRegistry())
    for instrument in (requests._requests, requests._seconds):
        yield instrument._name, set(instrument._labelnames)
    checked = VerificationMetrics(CollectorRegistry())
    yield checked._violations._name, set(checked._violations._labelnames)
    yield "touchline_bets", {"state"}


LABELS = dict(labels_by_name())
EXPOSED: Mapping[str, set[str]] = exposed()


def test_the_table_of_metrics() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    listed = {
        CODE.findall(name)[0]: set(CODE.findall(labels))
        for name, labels, *_ in table(page, "metric")
    }
    parts = re.compile(r"_(bucket|sum|count)$")
    assert listed == {name: labels for name, labels in EXPOSED.items() if not parts.search(name)}


def test_the_steps_that_are_described() -> None:
    page = (ROOT / "docs" / "observability.md").read_text()
    (sentence,) = re.findall(r"^The steps: (.+?)\n\n", page, re.MULTILINE | re.DOTALL)
    assert CODE.findall(sentence) == list(Part)


# Queries


def tokens(query: str) -> list[str]:
    """The pieces of a query; fails at what is no piece of one."""
    pattern = re.compile(
        r'\s*("(?:[^"\\]|\\.)*"|\[[^\]]+\]|[a-zA-Z_][a-zA-Z0-9_]*|[0-9.]+|>=|<=|==|!=|=~|!~|[-+*/<>=(){},])'
    )
    found, at = [], 0
    while at < len(query.rstrip()):
        match = pattern.match(query, at)
        assert match, f"what is this? {query[at:]}"
        found.append(match[1])
        at = match.end()
    return found


@each_query
def test_a_query_is_well_formed(query: str) -> None:
    """Brackets and what stands in them; no parser of the whole language is at hand."""
    open_ones: list[str] = []
    for token in tokens(query):
        if token in "({":
            open_ones.append(token)
        elif token in ")}":
            assert open_ones.pop() + token in {"()", "{}"}
        elif token.startswith("["):
            assert re.fullmatch(r"\[(\d+[smhd](:\d+[smhd])?|\$__rate_interval)\]", token)
    assert open_ones == []


@each_query
def test_a_query_asks_for_what_there_is(query: str) -> None:
    metrics = {each for each in tokens(query) if each.startswith("touchline_")}
    names = metrics | ({"up"} if "up" in tokens(query) else set())
    assert names
    assert metrics <= EXPOSED.keys()
    labels = GIVEN.union(*(EXPOSED[name] for name in metrics))
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]', "", query)
    grouped = {
        label for group in re.findall(r"by \(([^)]*)\)", bare) for label in group.split(", ")
    }
    matched = set(
        re.findall(r"(\w+)(?:=~|!=|!~|=)(?!=)", re.sub(r"\s", "", re.sub(r'"[^"]*"', '""', query)))
    )
    assert grouped | matched <= labels
    words = set(re.findall(r"[a-zA-Z_]\w*", re.sub(r"\{[^}]*\}", "", bare)))
    assert words - names - grouped <= FUNCTIONS | WORDS


@each_query
def test_counters_are_asked_for_their_rate(query: str) -> None:
    """And histograms by their buckets, sums and counts."""
    for name in re.findall(r"touchline_\w+", query):
        if name.endswith(("_total", "_bucket", "_sum", "_count")):
            before = query[: query.index(name)].rstrip("(").split()[-1]
            assert before.rpartition("(")[2] in {"rate", "increase"}, name
        else:
            assert f"{name}_bucket" not in EXPOSED, name


# Alerts and their runbook


@each_alert
def test_an_alert_leads_to_its_section(alert: Mapping[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    path, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    page = (ROOT / path).read_text()
    assert anchor == alert["alert"].lower()
    assert anchor in anchors(page)
    section = page.partition(f"### {alert['alert']}\n")[2].partition("\n##")[0]
    assert re.findall(r"^\*\*(Means|Look at|Do)\*\*", section, re.MULTILINE) == [
        "Means",
        "Look at",
        "Do",
    ]


@each_alert
def test_an_alert_says_what_is_wrong(alert: Mapping[str, Any]) -> None:
    summary = alert["annotations"]["summary"]
    assert summary
    shown = set(re.findall(r"\$labels\.(\w+)", summary))
    kept = re.findall(r"by \(([^)]*)\)", alert["expr"])
    labels = {label for group in kept for label in group.split(", ")}
    assert shown <= (labels or GIVEN)


def test_every_section_has_its_alert() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    assert re.findall(r"^### (\w+)$", section, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_stuck_means_the_same_everywhere() -> None:
    (alert,) = (rule for rule in ALERTS if rule["alert"] == "ConsumerStuck")
    assert alert["expr"].endswith(f" > {STUCK_SECONDS:.0f}")
    for page in ("observability", "operations"):
        text = (ROOT / "docs" / f"{page}.md").read_text()
        assert f"no step for {STUCK_SECONDS:.0f} s" in text.replace("\n", " ")


# Prometheus and Grafana


def test_every_service_is_scraped() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    (targets,) = (each["targets"] for each in job["static_configs"])
    ports = {"events-api": 8001, "bets-api": 8002, "event-writer": 9101, "bet-scorer": 9102}
    ports |= {"bet-writer": 9103, "verify": 9104}
    assert dict(target.split(":") for target in targets) == {k: str(v) for k, v in ports.items()}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name, port in ports.items():
        if name in compose:
            assert str(port) in compose[name]["command"]
    assert job["job_name"] == "touchline"
    typed = re.findall(
        r"^touchline ([\w-]+) --health-port (\d+)$", README.read_text(), re.MULTILINE
    )
    assert dict(typed) == {name: str(ports[name]) for name in ConsumerName}


def test_the_dashboard_reads_what_is_provisioned() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((folder / "dashboards" / "touchline.yml").read_text())["providers"]
    assert provider["options"]["path"].endswith("/dashboards")
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["title"] and panel["targets"] for panel in DASHBOARD["panels"])


def test_panels_lie_side_by_side() -> None:
    covered: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not covered & cells
        assert at["x"] + at["w"] <= 24
        covered |= cells


def test_there_is_something_to_look_at() -> None:
    assert len(QUERIES) > 20
    assert EXPOSED["touchline_consumer_lag"] == {"consumer", "topic", "partition"}
    assert "touchline_http_request_seconds_bucket" in EXPOSED
