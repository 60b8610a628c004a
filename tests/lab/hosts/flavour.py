"""What a flavour of a host is, and a look at a host that has one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.lab.fleet import SLOTS, SSH_CONFIG, Project

URL = "http://127.0.0.1:11434"
UNITS = "/etc/systemd/system"
OWN = f"{UNITS}/ollama.service.d/override.conf"  # as `systemctl edit ollama` writes it
RESTART = "systemctl daemon-reload; systemctl restart ollama"
UNDO = f"rm -f {OWN}; {RESTART}"
# Arguments: URL, SECONDS that the warm-up may take, and the names of slots
LOOK = """
url=$1 deadline=$(($(date +%s) + $2)); shift 2
sleep 1
while [ "$(systemctl is-active ollama-warmup)" = activating ] && [ "$(date +%s)" -lt "$deadline" ]; do
    sleep 0.5
done
journalctl --sync
group=/sys/fs/cgroup$(systemctl show --property=ControlGroup --value ollama)
held=$(for it in $(cat "$group/cgroup.procs"); do tr '\\0' ' ' <"/proc/$it/cmdline"; done 2>/dev/null)
echo "== look"
journalctl -u ollama -o cat --no-pager | grep -c '^Started ollama'
for slot; do
    weights=$(curl -q -sS --noproxy '*' --max-time 10 -d "{\\"model\\":\\"$slot\\"}" "$url/api/show" |
        grep -o 'FROM [^\\]*sha256-[0-9a-f]\\{64\\}' | head -n 1 | grep -o '[0-9a-f]\\{64\\}$')
    split=$(curl -q -sS --noproxy '*' --max-time 10 "$url/api/tags" |
        grep -o "\\"name\\":\\"$slot:latest\\"[^}]*\\"digest\\":\\"[0-9a-f]\\{12\\}" | grep -o '[0-9a-f]\\{12\\}$')
    # Of weights in several files Ollama names the manifest's digest.
    case $held in *"${weights:-none}"* | *".ollama-split-${split:-none}"*) echo "$slot" ;; esac
done
"""


def sh(script: str, *arguments: str, timeout: float = 120) -> str:
    """Runs a script on gpu1 as root, whatever his login shell is and says; what it prints."""
    done = subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), "gpu1", " ".join(["sh", "-s", "--", *arguments])],
        input=script,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{script}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


@dataclass(frozen=True)
class Look:
    """A host at one moment.

    + starts: how often its Ollama has been started
    + hot: the slots whose weights its Ollama holds
    """

    starts: int
    hot: frozenset[str]


def look(url: str, *more: str, seconds: int = 90) -> Look:
    """Looks at gpu1 and its slots, with some more of them, its warm-up being over."""
    starts, *hot = (
        sh(LOOK, url, str(seconds), *SLOTS, *more, timeout=seconds + 60).partition("== look\n")[2].split()
    )
    return Look(int(starts), frozenset(hot))


@dataclass(frozen=True)
class Flavour:
    """One row of the table.

    + has: what the host has, in words
    + make, undo: shell that changes the host, and that puts it right again
    + prepare: what is done to the project and to the registry
    + own: the host's data in the inventory
    + also: the data of another name in the inventory
    + code: the exit code of the deploy that meets it
    + says: a pattern of the line that tells of it; by default that of a slot which is resident
    + after: how many slots are hot after that deploy, with all that were before; None where Ollama is not in its
      unit, so that this cannot be seen
    + restarts: how often the deploy may restart Ollama
    + url: where Ollama is asked
    + more: slots that it has beside the four
    + needs: a program that the lab's hosts may not have
    + gpu: whether it needs the simulated GPU
    + boots: whether it shows at a boot, which leaves every slot hot; that takes a minute
    + walks: whether a walk of `make chaos` comes across it: it outlasts a boot, and the deploy ends well
    """

    has: str
    make: str
    undo: str = UNDO
    prepare: Callable[[Project], object] | None = None
    own: dict[str, Any] = field(default_factory=dict)
    also: dict[str, Any] = field(default_factory=dict)
    code: int = 0
    says: str = " yes$"
    after: int | None = len(SLOTS)
    restarts: int = 0
    url: str = URL
    more: tuple[str, ...] = ()
    needs: str = ""
    gpu: bool = False
    boots: bool = False
    walks: bool = False


FLAVOURS: list[Flavour] = []


def flavour(has: str, make: str, **more: Any) -> None:
    """Puts a flavour into the table."""
    FLAVOURS.append(Flavour(has, make, **more))


def write(path: str, *lines: str, mode: str = "644") -> str:
    """The command that writes a file."""
    text = "\n".join(lines)
    return f"mkdir -p $(dirname {path}); cat >{path} <<'END_OF_FILE'\n{text}\nEND_OF_FILE\nchmod {mode} {path}\n"


def unit(*lines: str) -> str:
    """The commands by which an owner adds lines to Ollama's unit."""
    return f"{write(OWN, '[Service]', *lines)}{RESTART}\n"
