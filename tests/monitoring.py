"""The rules and the dashboard of monitoring/, for the tests."""

from __future__ import annotations

import json
from pathlib import Path

MONITORING = Path(__file__).resolve().parents[1] / "monitoring"
RULES, DASHBOARD = MONITORING / "rules.yml", MONITORING / "dashboard.json"


def queries() -> list[str]:
    """Those of the dashboard's panels."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for it in panels for target in it.get("targets", [])]


def ready(query: str, host: str = ".*", slot: str = ".*", interval: str = "5m") -> str:
    """A query as Grafana sends it, its variables filled in."""
    for variable, value in {"__rate_interval": interval, "__range": interval, "host": host, "slot": slot}.items():
        query = query.replace(f"${variable}", value)
    return query
