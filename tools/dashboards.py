"""Write Grafana's dashboards, src/sentinel/contrib/grafana/NAME.json, from dashboards.yaml beside this.

After every change there: .venv/bin/python tools/dashboards.py
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PANELS = Path(__file__).with_name("dashboards.yaml")
FOLDER = Path(__file__).resolve().parent.parent / "src" / "sentinel" / "contrib" / "grafana"
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_COLUMNS = 24
OF_NOW = {"stat", "bargauge"}  # They show the last value of each series, the others its course.


@dataclass(frozen=True)
class Panel:
    """One panel. ``queries`` are by the legend of their series; a number turns red at ``reddens_at``."""

    title: str
    queries: dict[str, str]
    kind: str = "timeseries"
    unit: str = "short"
    columns: int = 8
    reddens_at: float | None = None
    about: str = ""

    @property
    def rows(self) -> int:
        return 4 if self.kind == "stat" else 8

    def options(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.reddens_at is not None:
            steps.append({"color": "red", "value": self.reddens_at})
        return {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}}

    def targets(self) -> list[dict[str, Any]]:
        now = self.kind in OF_NOW
        return [
            {"refId": letter, "datasource": DATA_SOURCE, "expr": query, "legendFormat": legend, "instant": now}
            | {"range": not now}
            for letter, (legend, query) in zip(string.ascii_uppercase, self.queries.items(), strict=False)
        ]

    def drawn(self, number: int, x: int, y: int) -> dict[str, Any]:
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": DATA_SOURCE,
            "gridPos": {"h": self.rows, "w": self.columns, "x": x, "y": y},
            "fieldConfig": {"defaults": self.options(), "overrides": []},
            "targets": self.targets(),
        }


def placed(panels: list[Panel]) -> Iterator[dict[str, Any]]:
    """Yield the panels from left to right; a line ends where the next one does not fit, or is not as high."""
    x = y = rows = 0
    for number, panel in enumerate(panels, start=1):
        if rows and (x + panel.columns > GRID_COLUMNS or panel.rows != rows):
            x, y = 0, y + rows
        rows = panel.rows
        yield panel.drawn(number, x, y)
        x += panel.columns


def variables(choices: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield what is chosen above a dashboard: the Prometheus, and labels by the query for their values."""
    yield {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    for label, query in choices.items():
        asked = {"type": "query", "datasource": DATA_SOURCE, "query": {"query": query, "refId": label}, "refresh": 2}
        yield {"name": label, "label": label.capitalize(), "multi": True, "includeAll": True, "sort": 1} | asked


def dashboards() -> dict[str, str]:
    """Return each dashboard as Grafana imports it, by name."""
    return {name: written(name, entry) for name, entry in yaml.safe_load(PANELS.read_text()).items()}


def written(name: str, entry: dict[str, Any]) -> str:
    panels = [Panel(**panel) for panel in entry["panels"]]
    whole = {
        "uid": f"sentinel-{name}",
        "title": entry["title"],
        "tags": ["sentinel"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": list(variables(entry.get("choose", {})))},
        "panels": list(placed(panels)),
    }
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    for name, text in dashboards().items():
        (FOLDER / f"{name}.json").write_text(text)
