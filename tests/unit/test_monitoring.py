"""monitoring/: the rules and the dashboard ask for what the hosts write, and for nothing else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.monitoring import DASHBOARD, RULES, queries, ready
from tests.unit.declared import declared
from tests.unit.host.directory_host import two_engines
from tests.unit.host.slots import holds
from tests.unit.world import of_start

ROOT = Path(__file__).parents[2]
OF_PROMETHEUS = {"job", "instance"}
# Which node_exporter has of itself.
OF_NODE = {"node_textfile_scrape_error": set[str]()}
ALERT = re.compile(r"^ +- alert: (\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The metrics that a host writes, each with its labels, of which the unit is one where it is not the usual."""
    where = tmp_path_factory.mktemp("monitored") / "host"
    wanted = declared("a:1b", ollama_unit="ollama-gpu1.service")
    with two_engines(where, wanted.ollama_unit) as (_, host):
        host.engine.publish("a:1b")
        holds(host, "one", "a:1b", loaded=False)
        (where / "log").write_text(of_start(24576) + "\n")
        started = where / host.paths["started"].lstrip("/")
        started.parent.mkdir(parents=True)
        started.symlink_to("1234")
        host.install_warm_up(wanted)
        assert host.warm_up().code == 0
        assert host.watch(wanted).code == 0
        families = text_string_to_metric_families(host.metrics.read_text())
        return {it.name: set(it.labels) for one in families for it in one.samples}


def expressions() -> list[str]:
    """Those of the rules: a line, or what is folded below it."""
    found = re.findall(r"^ +expr: (?:>-\n((?: {10,}.*\n)+)|(.+)\n)", RULES.read_text(), re.MULTILINE)
    assert len(found) == len(ALERT.findall(RULES.read_text()))
    return [" ".join((folded or line).split()) for folded, line in found]


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def asked(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that an expression names."""
    lists = re.findall(r"\b(?:by|on|without|group_left) \(([^)]*)\)", expression)
    matched = re.findall(r"[{,] *(\w+) *=~", expression)
    labels = {it.strip() for one in lists for it in one.split(",")} | set(matched)
    return set(re.findall(r"\b(?:ollama|node)_\w+", expression)), labels - {""}


@pytest.mark.parametrize("where", ["rules", "dashboard"])
def test_what_is_asked_for_is_written(written: dict[str, set[str]], where: str) -> None:
    known = written | OF_NODE
    for expression in expressions() if where == "rules" else queries():
        metrics, labels = asked(expression)
        assert metrics, expression
        assert metrics <= known.keys(), expression
        assert labels <= OF_PROMETHEUS.union(*(known[it] for it in metrics)), expression


def test_what_is_written_is_shown_and_explained(written: dict[str, set[str]]) -> None:
    shown = set[str]().union(*(asked(it)[0] for it in (*queries(), *expressions())))
    assert shown == written.keys() | OF_NODE.keys()
    page = (ROOT / "docs" / "metrics.md").read_text()
    assert {it for it in written if f"`{it}`" not in page} == set()


def test_the_variables_of_the_dashboard_are_asked_of_what_is_written(written: dict[str, set[str]]) -> None:
    board = json.loads(DASHBOARD.read_text())
    variables = {it["name"]: it["query"] for it in board["templating"]["list"]}
    assert variables.keys() == {"datasource", "host", "slot"}
    for name in ("host", "slot"):
        found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variables[name]["query"])
        assert found
        assert found[2] in written[found[1]] | OF_PROMETHEUS
    used = set(re.findall(r"\$(\w+)", " ".join(queries()) + json.dumps(board["panels"])))
    assert used - {"__rate_interval", "__range"} == {"host", "slot"}


def test_the_panels_of_the_dashboard_lie_beside_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    for it in panels:
        at = it["gridPos"]
        own = {(at["x"] + right, at["y"] + down) for right in range(at["w"]) for down in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not taken & own, it["title"]
        taken |= own
    assert len({it["id"] for it in panels}) == len(panels)


def test_the_rules_are_right() -> None:
    promtool("check", "rules", RULES)


def test_the_rules_fire_when_they_should() -> None:
    promtool("test", "rules", RULES.with_name("rules_test.yml"))


def test_each_rule_is_tested_firing_and_not_and_says_what_to_do() -> None:
    alerts, tests = ALERT.findall(RULES.read_text()), RULES.with_name("rules_test.yml").read_text()
    assert len(alerts) == len(set(alerts)) == 6
    for it in alerts:
        assert re.search(rf"alertname: {it}, eval_time: \w+\}}", tests), it
        assert re.search(rf"alertname: {it}\n +eval_time: \w+\n +exp_alerts:", tests), it
    for what in ("summary:", "description:", "severity:"):
        assert RULES.read_text().count(what) == len(alerts)


def test_the_queries_of_the_dashboard_are_right(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": ready(it)} for number, it in enumerate(queries())]
    (tmp_path / "queries.yml").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "queries.yml")
