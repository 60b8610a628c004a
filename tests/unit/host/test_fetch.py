"""A fetch from a mirror on a host, by a real sh, curl and HTTP server: what it shows, brings, and leaves."""

import fcntl
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollama_slots.core import names
from tests.unit.host.pulling import GO_ON, Host
from tests.unit.host.served import CONFIG, WEIGHTS, Registry, served, sha256

MODEL = "Me/X.y:Q4"
PATH = "registry.ollama.ai/Me/X.y/Q4"
W, C = sha256(WEIGHTS), sha256(CONFIG)
BLOB = f"/v2/me/x.y/blobs/sha256:{W}"
REPAIR = "fill the mirror again"


class Fetching(Host):
    """A host that fetches from a registry, which is its engine as well, as far as that lists its models."""

    def __init__(self, path: Path, mirror: Registry) -> None:
        super().__init__(path)
        self.mirror, self.manifests, self.fetched = (
            mirror,
            path / "store/manifests",
            path / "store/.ollama-slots/.fetch",
        )
        mirror.files["/api/tags"] = self.tags
        mirror.files["/api/version"] = b'{"version":"0.34.4"}'

    def tags(self) -> bytes:
        models = [
            {
                "name": names.Name(*it.relative_to(self.manifests).parts).short,
                "modified_at": f"2026-01-15T10:30:{it.stat().st_mtime_ns % 60:02}Z",
                "digest": sha256(it.read_bytes()),
            }
            for it in self.manifests.glob("*/*/*/*")
        ]
        return json.dumps({"models": models}, separators=(",", ":")).encode()

    def begin(
        self, stall: int = 600, seconds: int = 60, ours: str = "no", damaged: str = ""
    ) -> subprocess.Popen[str]:
        where = {"path": PATH, "mirror": self.mirror.url, "repository": "me/x.y", "tag": "q4"}
        bounds = {"stall_seconds": stall, "total_seconds": seconds, "lock_seconds": 1}
        what = {
            "url": self.mirror.url,
            "model": MODEL,
            "for_slots": "one",
            "record_base": ours,
            "damaged": damaged,
        }
        return self.run("fetch", **what, **where, **bounds)

    def fetch(
        self, stall: int = 600, seconds: int = 60, ours: str = "no", damaged: str = ""
    ) -> tuple[int, list[str]]:
        """Its exit code, and the lines that it shows, but for its progress: it looks every 20 ms here."""
        process = self.begin(stall, seconds, ours, damaged)
        shown, _ = process.communicate(timeout=20)
        return process.returncode, [line for line in shown.splitlines() if "MB/s" not in line]

    def goes_on_after(self, size: int) -> None:
        """Has the clock, which stands, go on when so many bytes of the weights have come."""
        end = time.monotonic() + 20
        while sum(it.stat().st_size for it in self.fetched.glob("sha256-*")) < size and time.monotonic() < end:
            time.sleep(0.01)
        self.has(GO_ON)

    @property
    def manifest(self) -> Path:
        return self.manifests / PATH

    @property
    def partial(self) -> Path:
        return self.fetched / f"sha256-{W}-partial"

    def is_clean(self) -> bool:
        """Nothing but models is left of what was done."""
        return not self.record and not list((self.path / "store" / ".ollama-slots").iterdir())


@pytest.fixture
def mirror() -> Iterator[Registry]:
    with served() as it:
        it.publish("me/x.y", "q4", WEIGHTS)
        yield it


@pytest.fixture
def host(tmp_path: Path, mirror: Registry) -> Fetching:
    return Fetching(tmp_path, mirror)


def failed(host: Fetching, stall: int = 600, seconds: int = 60) -> str:
    """The one line in which it fails, having changed no model."""
    code, shown = host.fetch(stall, seconds)
    assert code == 1
    assert not host.manifest.exists()
    *progress, line = shown
    assert all(it.startswith(f"{MODEL}: ") for it in progress), shown
    return line.removeprefix(f"pull of {MODEL} ").removesuffix(" (for slot one)")


def test_a_model_is_in_the_store_as_the_mirror_has_it(host: Fetching, mirror: Registry) -> None:
    assert host.fetch(ours="yes") == (0, [])
    assert host.manifest.read_bytes() == mirror.files["/v2/me/x.y/manifests/q4"]
    assert {it.name: it.read_bytes() for it in host.blobs.iterdir()} == {
        f"sha256-{W}": WEIGHTS,
        f"sha256-{C}": CONFIG,
    }
    assert host.is_clean()
    assert host.bases.read_text().startswith(f"{MODEL} 2026-01-15T10:30:")
    for file in (host.manifest, *host.blobs.iterdir()):
        assert file.stat().st_mode & 0o777 == 0o644
        assert file.stat().st_uid == host.blobs.stat().st_uid
    assert (host.manifests / "registry.ollama.ai" / "Me").stat().st_mode & 0o777 == 0o755


def test_it_shows_its_progress(host: Fetching, mirror: Registry) -> None:
    mirror.publish("me/x.y", "q4", WEIGHTS * 20)
    mirror.chunk = 4_000_000
    mirror.go_on.clear()
    host.has("touch ../stands")
    process = host.begin()
    host.goes_on_after(3_990_000)
    assert process.stdout
    line = process.stdout.readline()
    mirror.go_on.set()
    assert process.wait(20) == 0
    assert re.fullmatch(rf"{MODEL}: [34] of 20 MB, [12] MB/s, \d+ s left\n", line)


def test_what_is_there_whole_is_not_fetched_again(host: Fetching, mirror: Registry) -> None:
    (host.blobs / f"sha256-{W}").write_bytes(WEIGHTS)
    (host.blobs / f"sha256-{C}").write_bytes(CONFIG[:-1])
    assert host.fetch() == (0, [])
    assert mirror.blobs() == [C]
    assert host.fetch() == (0, [])
    assert mirror.blobs() == [C]
    assert host.fetch(damaged=W) == (0, [])
    assert mirror.blobs() == [C, W]


def test_a_connection_that_breaks_is_made_again_for_what_is_missing(host: Fetching, mirror: Registry) -> None:
    mirror.cut = [300_000, 400_000]
    assert host.fetch() == (0, [])
    assert mirror.blobs().count(W) == 3
    assert mirror.sent[BLOB] == len(WEIGHTS)


def test_what_was_fetched_before_it_ended_is_not_fetched_again(host: Fetching, mirror: Registry) -> None:
    mirror.cut = [300_000, 0]
    assert failed(host).startswith(f"failed: {mirror.url}: curl: (")
    assert host.partial.stat().st_size == 300_000
    [left] = [it for it in host.stored().unfinished if it.blob == f"sha256:{W}"]
    assert (left.model, left.ours) == (MODEL, True)
    assert left.size >= 300_000
    code, shown = host.fetch()
    assert (code, shown) == (0, [f"{MODEL}: resuming at 0 MB"])
    assert mirror.sent[BLOB] == len(WEIGHTS)
    assert host.is_clean()


def test_what_somebody_brought_whole_meanwhile_stays_whole(host: Fetching, mirror: Registry) -> None:
    mirror.cut = [300_000, 0]
    failed(host)
    (host.blobs / f"sha256-{W}").write_bytes(WEIGHTS)
    assert host.fetch() == (0, [])
    assert (host.blobs / f"sha256-{W}").read_bytes() == WEIGHTS
    assert host.is_clean()


def test_what_it_left_is_removed_while_nobody_goes_on_with_it(host: Fetching, mirror: Registry) -> None:
    mirror.cut = [300_000, 0]
    failed(host)
    with host.holding(host.partial):
        assert host.call(f"use_blobs; in_pull {W}") == 0
    assert host.call(f"use_blobs; ! in_pull {W} && untouched {W} && discard {W}") == 0
    assert host.is_clean()


def test_what_no_record_tells_of_is_cleared_away(host: Fetching) -> None:
    host.fetched.mkdir(parents=True)
    (host.fetched / f"sha256-{'f' * 64}-partial").write_text("x")
    assert host.fetch() == (0, [])
    assert host.is_clean()


def test_a_mirror_without_byte_ranges_is_asked_for_all_of_it_again(host: Fetching, mirror: Registry) -> None:
    mirror.cut, mirror.ranges = [300_000], False
    assert host.fetch() == (0, [])


def test_a_damaged_blob_is_refused_and_named(host: Fetching, mirror: Registry) -> None:
    mirror.files[BLOB] = WEIGHTS[:500_000] + b"x" + WEIGHTS[500_001:]
    why = f"failed: blob sha256:{W} of {mirror.url} is damaged there, so it was rejected: {REPAIR}"
    assert failed(host) == why
    assert host.files == set()
    mirror.files[BLOB] = WEIGHTS
    assert host.fetch() == (0, [])
    assert mirror.blobs().count(C) == 1


@pytest.mark.parametrize("served", [WEIGHTS[:-1], WEIGHTS + b"x", b""])
def test_so_is_one_of_another_size(host: Fetching, mirror: Registry, served: bytes) -> None:
    mirror.files[BLOB] = served
    assert f"blob sha256:{W} of {mirror.url} is damaged there" in failed(host)
    mirror.files[BLOB] = WEIGHTS
    assert host.fetch() == (0, [])


def test_what_was_begun_before_the_mirror_was_repaired_is_not_blamed_on_it(
    host: Fetching, mirror: Registry
) -> None:
    mirror.cut = [300_000, 0]
    mirror.files[BLOB] = b"x" + WEIGHTS[1:]
    assert "curl: (" in failed(host)
    mirror.files[BLOB] = WEIGHTS
    assert host.fetch()[0] == 0
    assert (host.blobs / f"sha256-{W}").read_bytes() == WEIGHTS


def test_one_that_is_shorter_by_now_than_what_is_here_is_refused(host: Fetching, mirror: Registry) -> None:
    mirror.cut = [300_000, 0]
    failed(host)
    mirror.files[BLOB] = WEIGHTS[:200_000]
    assert f"blob sha256:{W} of {mirror.url} is damaged there" in failed(host)


def test_a_blob_that_is_missing_is_named(host: Fetching, mirror: Registry) -> None:
    del mirror.files[BLOB]
    assert failed(host) == f"failed: {mirror.url} has no blob sha256:{W}: {REPAIR}"


def test_a_model_that_is_missing_is_told_of(host: Fetching, mirror: Registry) -> None:
    del mirror.files["/v2/me/x.y/manifests/q4"]
    assert failed(host) == f"failed: {mirror.url} has no such model: fill it with ollama-slots-mirror"
    assert host.is_clean()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"layers":[{"digest":"sha256:../../x","size":1}]}',
        b'{"layers":[{"digest":"sha256:%s"}]}' % (b"a" * 64),
        b'{"layers":[{"digest":"sha256:%s","size":1}]}' % (b"a" * 63),
        b'{"layers":[{"digest":"sha256:%s","size":"$(reboot)"}]}' % (b"a" * 64),
    ],
)
def test_what_is_no_manifest_is_refused(host: Fetching, mirror: Registry, text: bytes) -> None:
    mirror.files["/v2/me/x.y/manifests/q4"] = text
    assert failed(host) == f"failed: {mirror.url} did not answer with a manifest"
    assert mirror.blobs() == []


def test_a_mirror_that_is_away_is_told_of(host: Fetching, mirror: Registry) -> None:
    mirror.shutdown()
    mirror.server_close()
    line = failed(host)
    assert line.startswith(f"failed: {mirror.url}: curl: (7) Failed to connect")


def test_a_stall_ends_with_its_numbers(host: Fetching, mirror: Registry) -> None:
    mirror.chunk = 300_000
    mirror.go_on.clear()
    host.has("touch ../stands")
    process = host.begin(stall=10)
    host.goes_on_after(290_000)
    line = process.communicate(timeout=20)[0].splitlines()[-1]
    # curl writes 4 KiB at once
    assert re.fullmatch(
        rf"pull of {MODEL} stalled: 29\d{{4}} of {len(WEIGHTS)} bytes, none in 10 s \(for slot one\)", line
    )
    assert host.partial.stat().st_size > 290_000


def test_all_of_it_is_bounded(host: Fetching, mirror: Registry) -> None:
    mirror.chunk = 300_000
    mirror.go_on.clear()
    assert failed(host, seconds=3) == "failed: not finished within 3 s"


def test_where_nobody_listens_it_ends_and_records_what_it_leaves(host: Fetching, mirror: Registry) -> None:
    weights = WEIGHTS * 40
    mirror.publish("me/x.y", "q4", weights)
    mirror.chunk = 400_000
    mirror.go_on.clear()
    process = host.begin()
    assert process.stdout
    process.stdout.close()
    for _ in range(100):  # of its 102 chunks
        if process.poll() is not None:
            break
        mirror.go_on.set()
        mirror.go_on.clear()  # whoever waits for it has got one chunk further
        time.sleep(0.05)
    assert process.wait(20) == 1
    assert len(host.record[sha256(weights)].split()) == 2, "with the time"


def test_a_full_disk_is_not_left_full(host: Fetching) -> None:
    curl = shutil.which("curl")
    blob = 'case "$*" in */blobs/*) while [ "$1" != -o ]; do shift; done; echo part >"$2"; exit 23 ;; esac'
    host.program("curl", f'{blob}\nexec {curl} "$@"')
    host.program("df", "printf 'head\\n- - - 0 - -\\n'")
    assert failed(host) == "failed: no space left on device, so its partial download was removed"
    assert host.is_clean()
    assert host.files == set()


def test_two_do_not_write_to_one_file(host: Fetching) -> None:
    with (host.path / "run" / "ollama-slots-fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = host.begin()
        assert process.stdout
        assert process.stdout.readline() == f"{MODEL}: waiting for another fetch on this host\n"
        assert not host.manifest.exists()
    assert process.wait(20) == 0
    assert host.manifest.exists()


def test_nor_is_it_waited_for_without_end(host: Fetching) -> None:
    with (host.path / "run" / "ollama-slots-fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert failed(host, seconds=1) == "failed: waited 1 s for another fetch on this host"


def test_a_redirect_is_followed(host: Fetching, mirror: Registry) -> None:
    mirror.files["/elsewhere"] = mirror.files.pop(BLOB)
    mirror.moved[BLOB] = "/elsewhere"
    assert host.fetch() == (0, [])


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        ("registry.ollama.ai/me/x.y/Q4", "registry.ollama.ai/me/x.y/Q4"),
        ("registry.ollama.ai/me/x.Y/other", "registry.ollama.ai/me/x.Y/Q4"),
        ("hub:5000/other/X.Y/q4", "registry.ollama.ai/Me/X.Y/q4"),
        ("hub:5000/other/other/latest", PATH),
    ],
)
def test_it_is_where_the_engine_looks_for_it(host: Fetching, there: str, wanted: str) -> None:
    """A name that differs in case only is the same to it, each part of it for itself."""
    file = host.manifests / there
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert host.fetch() == (0, [])
    assert sha256((host.manifests / wanted).read_bytes()) in host.tags().decode()


def test_what_the_engine_had_begun_is_begun_anew(host: Fetching) -> None:
    engines = [f"sha256-{W}-partial", f"sha256-{W}-partial-0"]
    host.has(
        *(f"echo part >{it}" for it in engines), f"mkdir -p {host.records} && echo {MODEL} >{host.records}/{W}"
    )
    assert host.fetch()[0] == 0
    assert host.files == {f"sha256-{W}", f"sha256-{C}"}
    assert host.is_clean()


def test_what_someone_elses_pull_has_begun_stays(host: Fetching) -> None:
    host.has(f"echo part >sha256-{W}-partial")
    assert host.fetch()[0] == 0
    assert f"sha256-{W}-partial" in host.files


def test_success_is_what_the_engine_lists(host: Fetching, mirror: Registry) -> None:
    mirror.files["/api/tags"] = b'{"models":[]}'
    code, shown = host.fetch()
    assert (code, shown) == (
        1,
        [f"pull of {MODEL} failed: its manifest is in place, but Ollama does not list it (for slot one)"],
    )
