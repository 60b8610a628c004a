"""A Prometheus on this machine, and the lab's hosts as it scrapes them."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from lab.network import address
from tests.lab.fleet import ROOT, Host, until
from tests.monitoring import RULES

EXPORTER = "prometheus-node-exporter"
DROP_IN = f"/etc/systemd/system/{EXPORTER}.service.d/override.conf"
DEFAULT = f"/etc/default/{EXPORTER}"
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: node
    static_configs: [{targets}]
"""


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    url: str

    def api(self, what: str, **arguments: str) -> Any:
        """The data of an answer."""
        with requests.Session() as session:
            session.trust_env = False  # the owner's proxy is for the way out
            answer = session.get(f"{self.url}/api/v1/{what}", params=arguments, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now."""
        return list(self.api("query", query=expression)["result"])

    def values(self, expression: str, *labels: str) -> dict[tuple[str, ...], float]:
        """The same, by labels."""
        return {
            tuple(it["metric"].get(label, "") for label in labels): float(it["value"][1])
            for it in self.query(expression)
        }

    def alerts(self, state: str) -> set[tuple[str, str, str]]:
        """Those in a state: name, host and slot, or none."""
        found = [it["labels"] for it in self.api("alerts")["alerts"] if it["state"] == state]
        return {(it["alertname"], it["instance"], it.get("slot", "")) for it in found}

    def fires(self, wanted: set[tuple[str, str, str]]) -> bool:
        """Whether these alerts fire."""
        return wanted <= self.alerts("firing")


@contextmanager
def collecting(host: Host) -> Iterator[None]:
    """Has the host's node_exporter see the metrics, for the time of the ``with``."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    drop_in = re.search(r"^ {4}(\[Service\])\n {4}(BindReadOnlyPaths=.*)$", page, re.MULTILINE)
    flag = re.search(r"--collector\.textfile\.directory=[\w/-]+", page)
    assert drop_in
    assert flag
    host.run(f"install -D -m 644 /dev/null {DROP_IN} && printf '%s\\n' '{drop_in[1]}' '{drop_in[2]}' >{DROP_IN}")
    host.run(f"cp {DEFAULT} {DEFAULT}.away; echo 'ARGS={flag[0]}' >{DEFAULT}")
    try:
        host.run(f"systemctl daemon-reload && systemctl restart {EXPORTER}")
        yield
    finally:
        host.run(f"systemctl stop {EXPORTER}; rm -r {DROP_IN}; mv {DEFAULT}.away {DEFAULT}")
        host.run("systemctl daemon-reload")


@contextmanager
def prometheus(path: Path, *hosts: Host) -> Iterator[Prometheus]:
    """One that scrapes hosts each second, whose rules do not wait as long as they should."""
    patient = RULES.read_text()
    (path / "rules.yml").write_text(re.sub(r"for: \d+m$", "for: 3s", patient, flags=re.M).replace("> 300", "> 15"))
    targets = [f'{{targets: ["{address(it.name)}:9100"], labels: {{instance: {it.name}}}}}' for it in hosts]
    (path / "prometheus.yml").write_text(CONFIG.format(targets=", ".join(targets)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listens = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address={listens}"]
    with (path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=path, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    it = Prometheus(f"http://{listens}")
    try:
        until("Prometheus answers", lambda: process.poll() is not None or answers(it))
        assert process.poll() is None, (path / "log").read_text()
        yield it
    finally:
        process.terminate()
        process.wait(20)


def answers(it: Prometheus) -> bool:
    """Whether it does already."""
    try:
        return bool(it.api("status/buildinfo"))
    except (requests.RequestException, ValueError):
        return False
