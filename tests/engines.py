"""``python -m tests.engines [VERSION...]``: the main jobs on each Ollama that the lab has, or on these.

Each version gets a lab with empty hosts, and a row of the table that this ends with. Each job is a test of
tests/lab: it has passed, or the version has failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time

from lab import engine
from tests.lab.fleet import ROOT

ASKED = r"\d+ requests, \d+ failed, .*?longest \d+ ms"
# Each job: its test, and what the table shows of the test's figures; where that is nothing, its seconds.
JOBS = {
    "deploy": ("test_deploy.py::test_four_slots_are_resident_as_declared", ""),
    "no-op": ("test_deploy.py::test_a_second_deploy_changes_nothing", ""),
    "rotation": ("test_rotation.py::test_no_request_fails_or_waits", ASKED),
    "boot": (
        "test_boot.py::test_all_slots_come_back[reboot]",
        r"all resident [\d.]+ s .* four bare loads [\d.]+ s",
    ),
    "rollback": ("test_rollback.py::test_back_and_forward_again", ASKED),
    "prune": ("test_prune.py::test_what_nothing_declares_is_removed_and_only_that", ASKED),
    "pull cut off": ("test_pull.py::test_what_was_pulled_is_not_pulled_again", r"\d+ MB in .* were sent"),
}
JOB_SECONDS = 600
FAILED = "FAILED"


def lab(command: str) -> None:
    """Runs one of the lab's commands. Raises subprocess.CalledProcessError if it fails."""
    subprocess.run([sys.executable, "-m", "lab", command], cwd=ROOT, check=True)


def do(test: str, figure: str) -> str:
    """Runs a test; what the table shows of it, or that it failed, and then prints all that it said."""
    command = [sys.executable, "-m", "pytest", "-q", f"tests/lab/{test}"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=JOB_SECONDS, check=False)
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        said = f"{test}: took longer than {JOB_SECONDS} s"
    seconds = time.monotonic() - start
    # Passed, all of it: what was passed over has shown nothing.
    if not re.search(r"^\d+ passed in ", said, re.MULTILINE):
        print(said, flush=True)
        return FAILED
    shown = re.search(figure, said)
    return (shown[0] if shown else "") or f"{seconds:.0f} s"


def row(version: str) -> list[str]:
    """A version's row of the table: its jobs, one after the other, and the minutes that they took."""
    os.environ["LAB_ENGINE"] = version
    start = time.monotonic()
    lab("down")
    lab("up")
    cells = []
    for name, job in JOBS.items():
        cells.append(do(*job))
        print(f"{version}  {name}: {cells[-1]}", flush=True)
    return [version, *cells, f"{(time.monotonic() - start) / 60:.1f}"]


def main() -> int:
    """Tries the versions of the command line; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.engines", description=__doc__)
    known = list(engine.LLAMA_SERVER)
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"{' '.join(known)} (default: all)")
    versions = parser.parse_args().versions or known
    if unknown := set(versions) - set(known):
        parser.error(f"the lab has no Ollama {', '.join(sorted(unknown))}: expected {', '.join(known)}")
    rows = [row(version) for version in versions]
    for cells in (["Ollama", *JOBS, "minutes"], ["---"] * (len(JOBS) + 2), *rows):
        print(f"| {' | '.join(cells)} |")
    return int(any(FAILED in cells for cells in rows))


if __name__ == "__main__":
    sys.exit(main())
