"""Checks of what is mounted from this repository: the set-up of Prometheus and Grafana, and whether
it says the same as the Compose file about where everything is."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from tests.compose.document import ROOT, Document, folders, is_touchline, services
from tests.compose.network import served
from tests.compose.order import one_shots

PROMETHEUS = "deploy/prometheus"
PROVISIONING = "deploy/grafana/provisioning"
DASHBOARDS = "deploy/grafana/dashboards"


def wrong_folders(document: Document) -> Iterator[str]:
    """What is mounted is there, and nobody can write it."""
    for name, service in services(document).items():
        for folder, place in folders(service).items():
            if not (ROOT / folder).is_dir():
                yield f"{name} mounts {folder}, which does not exist"
            if not place.endswith(":ro"):
                yield f"{name} may write {folder}"


def wrong_targets(document: Document) -> Iterator[str]:
    """Prometheus asks each process of ours, where it answers, and nobody else's."""
    asked = {target for job in _prometheus()["scrape_configs"] for target in _targets(job)}
    wanted = {
        f"{name}:{port}"
        for name, service in services(document).items()
        if is_touchline(document, service) and name not in one_shots(document)
        for port in served(document, name)
    }
    for target in sorted(asked - wanted - {"localhost:9090", "prometheus:9090"}):
        yield f"Prometheus asks {target}, where nobody answers"
    for target in sorted(wanted - asked):
        yield f"Prometheus does not ask {target}"


def missing_rules(document: Document) -> Iterator[str]:
    """The alerts are among what Prometheus is given."""
    mounted = folders(services(document)["prometheus"]).get(PROMETHEUS, "").removesuffix(":ro")
    for rules in _prometheus().get("rule_files", []):
        path = PurePosixPath("/etc/prometheus") / rules
        name = PurePosixPath(path.name)
        if path != PurePosixPath(mounted) / name or not (ROOT / PROMETHEUS / name).is_file():
            yield f"Prometheus looks for its rules at {path}, where nothing is mounted"


def wrong_sources(document: Document) -> Iterator[str]:
    """Grafana asks the Prometheus that is beside it."""
    known = {f"http://prometheus:{port}" for port in served(document, "prometheus")}
    urls = [s["url"] for each in _provisioned("datasources") for s in each["datasources"]]
    for url in urls or ["nobody"]:
        if url not in known:
            yield f"Grafana asks {url}, not {', '.join(known)}"


def wrong_dashboards(document: Document) -> Iterator[str]:
    """Grafana looks for dashboards where they are mounted."""
    mounted = folders(services(document)["grafana"]).get(DASHBOARDS, "").removesuffix(":ro")
    paths = [p["options"]["path"] for each in _provisioned("dashboards") for p in each["providers"]]
    for path in paths or ["nowhere"]:
        if path != mounted:
            yield f"Grafana looks for dashboards at {path}, they are mounted at {mounted}"


def _prometheus() -> dict[str, Any]:
    return _read(ROOT / PROMETHEUS / "prometheus.yml")


def _targets(job: dict[str, Any]) -> Iterator[str]:
    for group in job.get("static_configs", []):
        yield from group["targets"]


def _provisioned(kind: str) -> list[dict[str, Any]]:
    return [_read(path) for path in sorted((ROOT / PROVISIONING / kind).glob("*.y*ml"))]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content
