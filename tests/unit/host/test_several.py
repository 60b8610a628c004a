"""One command of several scripts: one after another until one fails, and a look at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ollama_slots import facts
from ollama_slots.core.plan import beforehand, questions
from ollama_slots.core.settings import Settings
from ollama_slots.host import calls, scripts
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.slots import holds

A, AB = declared("a:1b"), declared("a:1b", "b:1b")


@pytest.fixture
def one(host: DirectoryHost) -> DirectoryHost:
    holds(host, "one", "a:1b")
    return host


def writes(path: Path, text: str) -> scripts.Script:
    return calls.install({str(path): ("644", text)}, [str(path)])


def run(host: DirectoryHost, *wanted: scripts.Script, since: str = "") -> Done:
    command = scripts.command(*wanted, unit=host.unit, since=since)
    return host.perform(command, "".join(it.stdin for it in wanted))


def test_each_runs_after_the_one_before_and_the_look_comes_last(one: DirectoryHost) -> None:
    first, second, models = one.root / "etc/1", one.root / "etc/2", beforehand(AB)
    done = run(one, writes(first, "one"), writes(second, "two"), calls.probe(AB, "yes", models))
    assert (done.code, first.read_text(), second.read_text()) == (0, "one", "two")
    left = facts.left(one.unit, models, one.lines(done))
    alone = one.found(AB)
    assert left
    assert left.model_copy(update={"details": None, "now": alone.now}) == alone
    asked = questions(AB, alone)
    by_themselves = one.details(asked)
    assert left.details
    assert left.details.asked.issuperset(asked)
    also = {"asked": by_themselves.asked, "disk_free": by_themselves.disk_free}  # what others write is there, too
    assert left.details.model_copy(update=also) == by_themselves


def test_what_fails_is_the_last_and_says_why(one: DirectoryHost) -> None:
    first, second = one.root / "etc/1", one.root / "etc/2"
    (one.root / "etc/1.new").mkdir()
    done = run(one, writes(first, "one"), writes(second, "two"), calls.probe(AB))
    assert done.code != 0
    assert done.err
    assert scripts.MARK not in done.out
    assert not second.exists()


@pytest.mark.parametrize("by", ["nobody", "another deploy", "a start of Ollama"])
def test_where_somebody_has_changed_the_host_nothing_is_run(one: DirectoryHost, by: str) -> None:
    started = Path(f"{one.root}{one.paths['started']}")
    started.parent.mkdir(parents=True, exist_ok=True)
    started.unlink(missing_ok=True)
    started.symlink_to("first")
    since, path = one.found(AB).since, one.root / "etc/1"
    if by == "another deploy":
        assert one.run("remove", url=one.engine.url, lock_seconds=5).code == 0
    elif by == "a start of Ollama":
        started.unlink()
        started.symlink_to("second")
    done = run(one, writes(path, "one"), calls.probe(AB), since=since)
    assert done.code == 0
    assert (facts.left(one.unit, (), one.lines(done)) is None) is (by != "nobody")
    assert path.exists() is (by == "nobody")


@pytest.mark.parametrize(("settings", "shows"), [(A, False), (AB, True)], ids=["none is new", "one is new"])
def test_details_come_with_the_first_look_where_a_declared_slot_is_new(
    one: DirectoryHost, settings: Settings, shows: bool
) -> None:
    models = beforehand(settings)
    done = run(one, calls.probe(settings, "new", models))
    assert bool(facts.observed(one.unit, models, one.lines(done)).details) is shows
