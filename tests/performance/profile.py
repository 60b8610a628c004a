"""Where the control machine's CPU goes in a run that has nothing to do: by whose code it is spent in."""

from __future__ import annotations

import pstats
import sys
import sysconfig
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.lab.fleet import ROOT
from tests.performance import hosts, kept
from tests.performance.declared import SMALL
from tests.performance.measured import measured
from tests.performance.tools import OURS, changes, tools

# By CPU, not by the clock: what waits for an answer spends nothing.
RUN = """
import cProfile, sys, time
from pyinfra_cli.main import main
profiler = cProfile.Profile(time.process_time)
sys.argv = ["pyinfra", *sys.argv[2:]]
try:
    profiler.runcall(main)
finally:
    profiler.dump_stats({file!r})
"""
# Directories to whose code it is; the first that fits.
WHOSE = (
    ("ollama_slots", "ours"),
    ("tasks", "ours"),
    ("pyinfra", "pyinfra"),
    ("pyinfra_cli", "pyinfra"),
    ("paramiko", "SSH"),
    ("cryptography", "SSH"),
    ("nacl", "SSH"),
    ("bcrypt", "SSH"),
    ("gevent", "gevent"),
    ("greenlet", "gevent"),
    ("pydantic", "pydantic"),
    ("pydantic_core", "pydantic"),
    ("jinja2", "jinja2"),
    ("importlib", "the import of modules"),
)
REST = "Python itself"
MODULES = 12  # to show
MOST_CALLS = 50  # of Python's library by itself
# As pstats has them: file, line and function to calls, calls, seconds in it, seconds in all, and each caller's.
Entries = dict[tuple[str, int, str], tuple[int, int, float, float, dict[tuple[str, int, str], Any]]]


def module(file: str, function: str) -> str:
    """The module of an entry of the profile, or ``built in``: what is in C has no file, but may name a package."""
    if file == "~":
        return next((name for name, _ in WHOSE if name in function), "built in")
    if file.startswith("<"):  # <frozen importlib._bootstrap>, which Python has in it; <string>
        return file.strip("<>").removeprefix("frozen ")
    path = Path(file).resolve()  # ours is a link
    for base in (sysconfig.get_path("purelib"), str(ROOT), sysconfig.get_path("stdlib")):
        if path.is_relative_to(base):
            return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    return path.stem


def whose(name: str) -> str:
    """Whose code a module is."""
    parts = name.split(".")
    return next((who for package, who in WHOSE if package in parts[:1]), REST)


def shares(spent: dict[str, float]) -> list[tuple[str, float]]:
    """Each one's share of the whole, in percent; the largest first."""
    total = sum(spent.values())
    return [(it, 100 * spent[it] / total) for it in sorted(spent, key=lambda name: -spent[name])]


def by_module(entries: Entries) -> dict[str, float]:
    """The seconds of CPU in each module's own code."""
    spent: dict[str, float] = defaultdict(float)
    for (file, _, function), (_, _, seconds, _, _) in entries.items():
        spent[module(file, function)] += seconds
    return spent


def by_owner(entries: Entries) -> dict[str, float]:
    """The seconds of CPU in each one's code and in all that this has Python's own library do.

    What Python's library spends goes to who called it, by the share of each caller; over many calls, one by one.
    """
    spent: dict[str, float] = defaultdict(float)
    left = {entry: seconds for entry, (_, _, seconds, _, _) in entries.items()}
    for _ in range(MOST_CALLS):
        passed: dict[tuple[str, int, str], float] = defaultdict(float)
        for entry, seconds in left.items():
            owner, callers = whose(module(entry[0], entry[2])), entries[entry][4]
            total = sum(it[3] for it in callers.values())
            if owner != REST or not total:
                spent[owner] += seconds
                continue
            for caller, it in callers.items():
                passed[caller] += seconds * it[3] / total
        left = passed
    spent[REST] += sum(left.values())
    return spent


def profile(number: int) -> None:
    """Deploys to so many hosts, and then again under a profiler."""
    names = hosts.up()[:number]
    hosts.pull(names, SMALL.bases)
    hosts.reset(names)
    with tools(names, 0, SMALL) as side_by_side:
        changes(OURS, side_by_side.ours(), names)
        file = str(side_by_side.path / "profile")
        command = [sys.executable, "-c", RUN.format(file=file), *side_by_side.project.command("-y")[2:]]
        command += ["--data", f"slot1_model={SMALL.slot1[False]}"]
        run = measured(command, side_by_side.project.path)
        assert changes(OURS, run, names) == 0, run.output
        stats: Any = pstats.Stats(file)
        modules, owners = by_module(stats.stats), by_owner(stats.stats)
    kept.save(
        "profile",
        [{"who": who, "percent": round(percent, 1)} for who, percent in shares(owners)],
        modules=[{"module": it, "percent": round(percent, 1)} for it, percent in shares(modules)[:MODULES]],
        hosts=len(names),
    )
    print(f"profile: {', '.join(f'{who} {percent:.0f} %' for who, percent in shares(owners))}")
    hosts.reset(names)
