"""A host as it is, read from outside by one command: what the engine says, its processes, and the files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tests.lab.fleet import SLOTS, STORE, Host

STATES = "/var/lib/ollama-slots"
API = "http://127.0.0.1:11434"
READ = rf"""
echo "== tags"; curl -sS --max-time 20 {API}/api/tags; echo
echo "== ps"; curl -sS --max-time 20 {API}/api/ps; echo
for slot in {" ".join(SLOTS)}; do
    echo "== show $slot"; curl -sS --max-time 20 -d "{{\"model\":\"$slot\"}}" {API}/api/show; echo
done
echo "== processes"; ps -eo args= | grep '^/opt/llama.cpp/llama-server '
echo "== states"; grep -as '' {STATES}/*.slot /dev/null | LC_ALL=C tr -cd '[:print:]\n'
echo "== modelfiles"; sha256sum /etc/ollama/modelfiles/*.Modelfile
echo "== left"
find /run/ollama-slots {STORE}/.ollama-slots -mindepth 1 2>/dev/null
find /etc/ollama /etc/systemd/system /usr/local/lib/ollama-slots {STATES} {STORE} -name '*.new'
exit 0
"""


@dataclass(frozen=True)
class Seen:
    """What a look found."""

    tags: dict[str, str]  # manifest digest by name
    runners: list[dict[str, Any]]  # of /api/ps
    shown: dict[str, dict[str, Any]]  # what /api/show says, by slot; of a slot without a name, nothing
    processes: list[tuple[str, int]]  # weights and window off the command line of each llama-server
    states: dict[str, dict[str, str]]  # the state files, by slot
    modelfiles: dict[str, str]  # sha256 by slot
    left: list[str]  # files that only live while something is done

    def weights(self, slot: str) -> str | None:
        """The blob that a slot's name runs on."""
        found = re.search(r"^FROM .*sha256-([0-9a-f]{64})$", self.shown.get(slot, {}).get("modelfile", ""), re.M)
        return found[1] if found else None


def look(host: Host) -> Seen:
    """Looks at a host whose Ollama answers."""
    parts: dict[str, list[str]] = defaultdict(list)
    part = ""
    for line in host.run(READ).stdout.splitlines():
        if line.startswith("== "):
            part = line[3:]
        elif line:
            parts[part].append(line)
    shown = {slot: json.loads(parts[f"show {slot}"][0]) for slot in SLOTS}
    states: dict[str, dict[str, str]] = defaultdict(dict)
    for line in parts["states"]:
        path, _, pair = line.partition(":")
        key, _, value = pair.partition("=")
        states[_slot(path)][key] = value
    return Seen(
        tags={it["name"]: it["digest"] for it in json.loads(parts["tags"][0])["models"]},
        runners=json.loads(parts["ps"][0])["models"],
        shown={slot: it for slot, it in shown.items() if "error" not in it},
        processes=[_process(line) for line in parts["processes"]],
        states=dict(states),
        modelfiles={_slot(path): digest for digest, path in (line.split() for line in parts["modelfiles"])},
        left=parts["left"],
    )


def _slot(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


def _process(line: str) -> tuple[str, int]:
    weights, window = re.search(r"sha256-([0-9a-f]{64})", line), re.search(r" -c (\d+) ", line)
    return (weights[1] if weights else line, int(window[1]) if window else 0)
