"""host/pull.sh and host/stored.sh by the fake engine: what a pull brings, records, leaves and takes up again."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.slots import pulled, weights

B = weights("b:1b")


@pytest.fixture
def published(host: DirectoryHost) -> DirectoryHost:
    host.engine.publish("b:1b")
    return host


def pull(host: DirectoryHost, model: str = "b:1b", **other: Any) -> Done:
    given: dict[str, Any] = {
        "url": host.engine.url,
        "model": model,
        "insecure": "false",
        "for_slots": "one and two",
        "stall_seconds": 300,
        "total_seconds": 20,
        "lock_seconds": 1,
        "record_base": "yes",
        "damaged": "",
    }
    return host.run("pull", **given | other)


def records(host: DirectoryHost) -> list[str]:
    return [it.name for it in (host.root / "var/lib/ollama-slots/unfinished").glob("*")]


def bases(host: DirectoryHost) -> str:
    path = host.root / "var/lib/ollama-slots/bases"
    return path.read_text() if path.exists() else ""


def listed(host: DirectoryHost, name: str = "b:1b") -> str:
    return next(str(it["modified_at"]) for it in host.engine.tags()["models"] if it["name"] == name)


def test_a_model_comes_and_is_recorded_as_ours(published: DirectoryHost) -> None:
    done = pull(published)
    assert (done.code, done.err) == (0, "")
    assert published.digest("b:1b")
    assert bases(published) == f"b:1b {listed(published)}\n"
    assert records(published) == []
    assert f"-f {published.store} {published.store}/blobs" in (published.root / "synced").read_text()


def test_one_that_is_not_ours_is_not_recorded(published: DirectoryHost) -> None:
    assert pull(published, record_base="no").code == 0
    assert bases(published) == ""


def test_one_that_is_pulled_again_has_one_record(published: DirectoryHost) -> None:
    assert pull(published).code == pull(published).code == 0
    assert bases(published) == f"b:1b {listed(published)}\n"


def test_one_that_is_nowhere_fails_with_the_engines_words(host: DirectoryHost) -> None:
    done = pull(host, "no:1b")
    assert (done.code, done.err) == (
        1,
        "pull of no:1b failed: pull model manifest: file does not exist (for slot one and two)\n",
    )
    assert host.engine.files.names() == {}


@pytest.mark.parametrize(
    ("ends", "said"), [("cut", "failed: "), ("max retries exceeded: EOF", "failed: max retries exceeded: EOF")]
)
def test_one_that_breaks_off_is_gone_on_with(published: DirectoryHost, ends: str, said: str) -> None:
    published.engine.pulls = [ends]
    done = pull(published)
    assert done.code == 1
    assert done.err.startswith(f"pull of b:1b {said}")
    assert records(published) == [B]
    [left] = published.stored().unfinished
    assert (left.model, left.blob, left.ours) == ("b:1b", f"sha256:{B}", True)
    done = pull(published)
    assert (done.code, done.err) == (0, "")
    assert "b:1b: resuming at 0 MB" in done.out
    assert (records(published), published.stored().unfinished) == ([], ())


def left_whole(host: DirectoryHost, content: str, ended: bool) -> Path:
    """A pull of b:1b was ended when its weights were there, and no manifest yet; or it has only come so far."""
    host.engine.pulls = ["cut"]
    assert pull(host).code == 1
    for part in host.engine.files.blobs.glob(f"sha256-{B}-partial*"):
        part.unlink()
    blob = host.engine.files.blob(B)
    blob.write_text(content)
    written = subprocess.run(["find", blob, "-printf", "%T@"], capture_output=True, text=True, check=True).stdout
    [record] = (host.root / "var/lib/ollama-slots/unfinished").iterdir()
    record.write_text(f"b:1b {written if ended else ''}\n")
    return blob


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("model", ["b:1b", "c:1b"])
def test_a_blob_that_is_whole_stays_until_its_model_is(published: DirectoryHost, model: str, ended: bool) -> None:
    """Its pull may be at the next blob now."""
    blob = left_whole(published, "weights\nb:1b", ended)
    published.engine.publish("c:1b")
    before = blob.stat()
    assert pull(published, model).code == 0
    assert (blob.stat().st_ino, blob.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("ended", [True, False])
def test_one_that_nobody_has_compared_is_compared(published: DirectoryHost, ended: bool) -> None:
    """The engine does not, where a blob is there when it begins."""
    blob = left_whole(published, "damaged" + " " * 300_000, ended)  # no small one, which is swept
    done = pull(published)
    assert (done.code, done.err) == (0, "")
    assert f"sha256-{B} is damaged on the disk: fetching it again" in done.out
    assert blob.read_text() == "weights\nb:1b"


def test_a_full_disk_is_not_left_so(published: DirectoryHost) -> None:
    published.engine.pulls = [f"write {published.store}/blobs/sha256-{B}-partial: no space left on device"]
    done = pull(published)
    why = "no space left on device, so its partial download was removed"
    assert done.err == f"pull of b:1b failed: {why} (for slot one and two)\n"
    assert list(published.engine.files.blobs.iterdir()) == []


def test_damaged_weights_go_first(published: DirectoryHost) -> None:
    """The engine pulls no blob that is there, whole or not."""
    pulled(published, "b:1b")
    published.engine.files.blob(B).write_text("damaged")
    assert pull(published, damaged=B).code == 0
    assert published.engine.files.blob(B).read_text() == "weights\nb:1b"


def test_where_ollama_does_not_run_nothing_is_pulled(published: DirectoryHost) -> None:
    published.stop_engine()
    done = pull(published)
    assert (
        done.err
        == "pull of b:1b failed: Ollama is not running, so its model store is unknown (for slot one and two)\n"
    )


def test_small_blobs_that_are_not_whole_are_swept_and_large_ones_are_not_read(published: DirectoryHost) -> None:
    small, large = (published.engine.files.blob(it * 64) for it in "de")
    small.write_text("")
    large.write_bytes(b"x" * 300_000)
    assert pull(published).code == 0
    assert (small.exists(), large.exists()) == (False, True)


def test_what_was_left_can_be_discarded(published: DirectoryHost) -> None:
    published.engine.pulls = ["cut"]
    assert pull(published).code == 1
    done = published.run("remove", url=published.engine.url, lock_seconds=1, discarded=B)
    assert (done.code, done.err) == (0, "")
    assert list(published.engine.files.blobs.iterdir()) == []
    assert records(published) == []


def test_what_somebody_goes_on_with_is_not(published: DirectoryHost) -> None:
    published.engine.pulls = ["cut"]
    assert pull(published).code == 1
    partial = published.engine.files.blobs / f"sha256-{B}-partial"
    partial.touch()
    assert published.run("remove", url=published.engine.url, lock_seconds=1, discarded=B).code == 0
    assert partial.exists()
    [left] = published.stored().unfinished
    assert not left.ours


def test_what_the_engine_is_pulling_is_not(published: DirectoryHost) -> None:
    published.engine.pulls = ["cut"]
    assert pull(published).code == 1
    partial = published.engine.files.blobs / f"sha256-{B}-partial"
    (published.proc.path / f"{published.main}/fd/9").symlink_to(partial)
    assert published.run("remove", url=published.engine.url, lock_seconds=1, discarded=B).code == 0
    assert partial.exists()


def test_what_a_large_blob_says_makes_nothing_a_models(published: DirectoryHost) -> None:
    """Blobs that are manifests are small; of others a store has hundreds of gigabytes."""
    published.engine.pulls = ["cut"]
    assert pull(published).code == 1
    blobs = published.engine.files.blobs
    (blobs / f"sha256-{B}-partial").rename(blobs / f"sha256-{B}")
    for part in blobs.glob(f"sha256-{B}-partial-*"):
        part.unlink()
    large = blobs / f"sha256-{'0' * 64}"
    large.write_text(f'{{"layers":[{{"digest":"sha256:{B}","size":7}}]}}' + " " * 300_000)
    assert published.run("remove", url=published.engine.url, lock_seconds=1, discarded=B).code == 0
    assert not (blobs / f"sha256-{B}").exists()
