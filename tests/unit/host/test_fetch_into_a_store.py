"""host/fetch.sh by a real HTTP server as the mirror, and the fake engine as what has to find the model then."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.served import CONFIG, WEIGHTS, Registry, served, sha256

W = sha256(WEIGHTS)


@pytest.fixture
def mirror() -> Iterator[Registry]:
    with served() as it:
        it.publish("me/x.y", "q4", WEIGHTS)
        yield it


def test_where_nothing_can_be_written_it_says_so_and_clears_up(host: DirectoryHost, mirror: Registry) -> None:
    """A shell ends where : cannot open a file, whatever comes after it."""
    fetched = host.store / ".ollama-slots/.fetch"
    (fetched / f"sha256-{W}-partial").mkdir(parents=True)
    done = fetch(host, mirror)
    assert done.code == 1
    assert "pull of Me/X.y:Q4 failed: cannot write to" in done.err
    assert not (fetched / ".said").exists()


def fetch(host: DirectoryHost, mirror: Registry, **other: Any) -> Done:
    given: dict[str, Any] = {
        "url": host.engine.url,
        "model": "Me/X.y:Q4",
        "path": "registry.ollama.ai/Me/X.y/Q4",
        "mirror": mirror.url,
        "repository": "me/x.y",
        "tag": "q4",
        "for_slots": "one and two",
        "stall_seconds": 300,
        "total_seconds": 20,
        "lock_seconds": 1,
        "record_base": "yes",
        "damaged": "",
    }
    return host.run("fetch", **given | other)


@pytest.mark.parametrize("version", ["0.34.4", "0.40.0"])
def test_a_model_is_one_that_ollama_lists(
    host: DirectoryHost, new: DirectoryHost, mirror: Registry, version: str
) -> None:
    """From 0.40 on, too: it reads what an older one has written."""
    on = host if version == host.engine.version else new
    done = fetch(on, mirror)
    assert (done.code, done.err) == (0, "")
    assert on.engine.model("me/x.y:q4").weights == W
    assert on.engine.files.blob(W).read_bytes() == WEIGHTS
    assert (on.root / "var/lib/ollama-slots/bases").read_text().startswith("Me/X.y:Q4 ")
    assert list((on.store / ".ollama-slots").iterdir()) == []
    assert on.stored().unfinished == ()


def test_what_is_damaged_at_the_mirror_is_not_taken(host: DirectoryHost, mirror: Registry) -> None:
    mirror.files[f"/v2/me/x.y/blobs/sha256:{W}"] = WEIGHTS[:-1] + b"x"
    done = fetch(host, mirror)
    assert done.code == 1
    assert f"blob sha256:{W} of {mirror.url} is damaged there, so it was rejected" in done.err
    assert host.engine.files.names() == {}
    assert not host.engine.files.blob(W).exists()


def test_what_was_begun_is_gone_on_with(host: DirectoryHost, mirror: Registry) -> None:
    mirror.cut = [300_000, 0]
    assert fetch(host, mirror).code == 1
    assert host.engine.files.names() == {}
    [left] = [it for it in host.stored().unfinished if it.blob == f"sha256:{W}"]
    assert left.ours
    assert fetch(host, mirror).code == 0
    assert mirror.sent[f"/v2/me/x.y/blobs/sha256:{W}"] == len(WEIGHTS)
    assert host.stored().unfinished == ()


def test_what_is_there_whole_is_not_fetched_and_what_is_cut_is(host: DirectoryHost, mirror: Registry) -> None:
    host.engine.files.blob(W).write_bytes(WEIGHTS)
    host.engine.files.blob(sha256(CONFIG)).write_bytes(CONFIG[:-1])
    assert fetch(host, mirror).code == 0
    assert mirror.blobs() == [sha256(CONFIG)]


def test_two_at_once_come_one_after_the_other(host: DirectoryHost, mirror: Registry) -> None:
    with (host.root / "run/ollama-slots-fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = fetch(host, mirror, total_seconds=1)
        assert done.out == "Me/X.y:Q4: waiting for another fetch on this host\n"
        assert (
            done.err
            == "pull of Me/X.y:Q4 failed: waited 1 s for another fetch on this host (for slot one and two)\n"
        )
