"""What a host serves and has recorded, right before its power is cut and after it is back; read from outside."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass

from tests.chaos.seen import API, STATES
from tests.lab.fleet import SLOTS, Host

REQUEST = {"prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
# Every slot is asked for one token, all at once.
ASK = "".join(
    f"curl -q -s --noproxy '*' --max-time 60 -d '{json.dumps({'model': slot, **REQUEST})}' {API}/api/generate "
    f"| grep -q '\"done\":true' && echo 'slot {slot}' &\n"
    for slot in SLOTS
)
RECORDED = f"sed 's/ .*//; s/^/base /' {STATES}/bases"
# Another program syncs a small file of its own: with it the filesystem writes down that others were renamed, but
# not what is in them.
ANOTHER = "dd if=/dev/zero of=/var/tmp/another bs=4096 count=1 conv=fsync"
BOUND = "sed -n 's/^TimeoutStartSec=//p' /etc/systemd/system/ollama-warmup.service"


@dataclass(frozen=True)
class Served:
    """The slots that answer, and the bases that are recorded as brought by us."""

    slots: frozenset[str]
    bases: frozenset[str]


def served(host: Host, then: str = "") -> Served:
    """Asks a host what it serves.

    + then: a command that is run on the host right after
    """
    lines = host.run(f"exec 2>/dev/null\n{ASK}wait\n{RECORDED}\n{then}", check=False).stdout.splitlines()
    words = [line.partition(" ")[::2] for line in lines]
    slots, bases = (frozenset(it for kind, it in words if kind == wanted) for wanted in ("slot", "base"))
    return Served(slots, bases)


def booted(host: Host) -> float:
    """Waits until a boot is over, the warm-up included; the seconds that it took.

    Raises AssertionError if that takes longer than the warm-up's unit may.
    """
    start = time.monotonic()
    bound = float(host.run(BOUND, check=False).stdout.strip() or 60)
    try:
        host.run("systemctl is-system-running --wait", check=False, timeout=bound)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the warm-up is not over after {bound:.0f} s") from None
    return time.monotonic() - start
