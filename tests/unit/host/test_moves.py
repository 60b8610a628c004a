"""host/moves.sh against a fake engine, in the layouts of 0.34 and of 0.40, and of one that nobody knows."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ollama_slots.host import scripts
from ollama_slots.host.stored import parse_stored
from tests.unit.host.doubled import doubled
from tests.unit.host.engine import FakeEngine, fake_engine
from tests.unit.host.fake_store import LIST, MODEL, sha256


def manifest(weights: str) -> str:
    """A manifest of these weights."""
    blob = {"digest": f"sha256:{sha256(weights)}", "size": len(weights)}
    return json.dumps({"config": blob, "layers": [{"mediaType": MODEL, **blob}]})


WEIGHTS = ("old", "new", "older")
OLD, NEW, OLDER = map(manifest, WEIGHTS)
LAYOUTS = ["0.10.1", "0.34.4", "0.40.0", "0.41.0"]


@pytest.fixture(params=LAYOUTS)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path / "store", request.param) as engine:
        keep(engine, *WEIGHTS)
        for tag, text in (("latest", OLD), ("current", NEW), ("previous", OLDER)):
            engine.files.write(f"slot:{tag}", text)
        yield engine


def keep(engine: FakeEngine, *blobs: str) -> None:
    """They are in the engine's store."""
    for blob in blobs:
        engine.files.keep(blob)


def call(engine: FakeEngine, command: str) -> tuple[int, str]:
    """The exit code of a command of moves.sh, and what it says."""
    script = "\n".join(
        [
            f"url={engine.url} keep_alive= load_seconds=",
            scripts.libraries("moves"),
            f"engine_pid() {{ echo 1; }}; model_store() {{ echo {engine.files.path}; }}",
            f"use_store && {command}",
        ]
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=20)
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def names(engine: FakeEngine) -> dict[str, str]:
    return {name.removeprefix("slot:"): text for name, text in engine.files.names().items()}


def test_what_serves_and_its_candidate_change_names(engine: FakeEngine) -> None:
    assert call(engine, "exchange slot") == (0, "")
    assert names(engine) == {"latest": NEW, "current": NEW, "previous": OLD}


def test_files_are_moved_where_the_layout_is_known_and_nowhere_else(engine: FakeEngine) -> None:
    before = {it: it.stat().st_ino for it in engine.files.path.rglob("slot/*")}
    assert call(engine, "exchange slot") == (0, "")
    copies = ["/api/copy slot:latest slot:previous", "/api/copy slot:current slot:latest"]
    assert engine.asked == (copies if engine.files.links else [])
    if not engine.files.links:
        for tag in ("latest", "previous"):
            path = engine.files.file(f"slot:{tag}")
            assert path.stat().st_ino != before[path], (
                "by a rename: who reads it meanwhile has the one or the other"
            )
        assert engine.files.file("slot:current").stat().st_nlink == 1, "or a create would change both"
    assert list((engine.files.path / ".ollama-slots").glob("*")) == []


def test_a_file_that_is_not_what_ollama_lists_is_not_moved(tmp_path: Path) -> None:
    """By its version names are files; but it keeps them elsewhere, and the files are of another time."""
    with fake_engine(tmp_path / "store", "0.34.4", links=True) as engine:
        engine.files.write("slot:current", NEW)
        stale = engine.files.file("slot:current")
        stale.parent.mkdir(parents=True)
        stale.write_text(OLD)
        assert call(engine, "mean slot:latest slot:current") == (0, "")
        assert engine.asked == ["/api/copy slot:current slot:latest"]
        assert names(engine) == {"latest": NEW, "current": NEW}


def test_a_host_that_was_upgraded_has_its_names_moved_by_the_new_ollama(tmp_path: Path) -> None:
    """It reads the files of the old one as well, but what it wrote itself comes first."""
    with fake_engine(tmp_path / "store", "0.34.4") as before:
        for tag, text in (("latest", OLD), ("current", NEW), ("previous", OLDER)):
            before.files.write(f"slot:{tag}", text)
    with fake_engine(tmp_path / "store", "0.40.0") as engine:
        assert call(engine, "exchange slot") == (0, "")
        assert engine.asked == ["/api/copy slot:latest slot:previous", "/api/copy slot:current slot:latest"]
        assert names(engine) == {"latest": NEW, "current": NEW, "previous": OLD}


def test_a_slot_that_serves_nothing_yet_has_nothing_before(engine: FakeEngine) -> None:
    for tag in ("latest", "previous"):
        for tree in ("manifests", "manifests-v2"):
            engine.files.file(f"slot:{tag}", tree).unlink(missing_ok=True)
    assert call(engine, "exchange slot") == (0, "")
    assert names(engine) == {"latest": NEW, "current": NEW}


def test_a_candidate_is_put_back_and_nothing_else_is_touched(engine: FakeEngine) -> None:
    assert call(engine, "put_back slot") == (0, "")
    assert names(engine) == {"latest": OLD, "current": OLD, "previous": OLDER}


def test_the_candidate_of_a_slot_that_serves_nothing_goes(engine: FakeEngine) -> None:
    for tree in ("manifests", "manifests-v2"):
        engine.files.file("slot:latest", tree).unlink(missing_ok=True)
    assert call(engine, "put_back slot") == (0, "")
    assert names(engine) == {"previous": OLDER}


def test_what_means_it_already_is_left_alone(engine: FakeEngine) -> None:
    engine.files.write("slot:latest", NEW)
    assert call(engine, "mean slot:latest slot:current") == (0, "")
    assert engine.asked == []


def test_a_name_is_found_in_whatever_case(engine: FakeEngine) -> None:
    assert call(engine, "exchange SLOT") == (0, "")
    assert names(engine) == {"latest": NEW, "current": NEW, "previous": OLD}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_name_that_is_not_there_yet_is_beside_the_others_of_its_model(tmp_path: Path, layout: str) -> None:
    """Somebody's own Slot:v1 has the engine write slot:current into its directory."""
    with fake_engine(tmp_path / "store", layout) as engine:
        keep(engine, *WEIGHTS)
        engine.files.write("Slot:v1", OLDER)
        for tag, text in (("latest", OLD), ("current", NEW)):
            engine.files.write(f"Slot:{tag}", text)
        assert call(engine, "exchange slot") == (0, "")
        assert {name.lower(): text for name, text in engine.files.names().items()} == {
            "slot:v1": OLDER,
            "slot:latest": NEW,
            "slot:current": NEW,
            "slot:previous": OLD,
        }


@pytest.mark.parametrize(("fails", "said"), [("", "755"), ("return 1", "755")])
def test_among_manifests_on_a_disk_of_their_own_nothing_stays_and_nothing_stops_ollama(
    tmp_path: Path, fails: str, said: str
) -> None:
    """Which ends at its start where there is a directory that its user cannot read."""
    with fake_engine(tmp_path / "store", "0.34.4") as engine:
        keep(engine, *WEIGHTS)
        engine.files.write("slot:current", NEW)
        aside = engine.files.path / "manifests/.ollama-slots"
        mv = f'mv() {{ stat -c %a "{aside}"; {fails or ":"}; command mv "$@"; }}'
        code = 1 if fails else 0
        assert call(engine, f"one_mount() {{ false; }}; {mv}; mean slot:latest slot:current") == (code, said)
        assert not aside.exists()
        assert names(engine) == ({"current": NEW} if fails else {"current": NEW, "latest": NEW})


def test_what_is_not_there_cannot_be_meant(engine: FakeEngine) -> None:
    assert call(engine, "mean slot:latest slot:gone") == (1, "slot:gone is not there")
    assert names(engine) == {"latest": OLD, "current": NEW, "previous": OLDER}


def test_a_copy_that_fails_says_why(engine: FakeEngine) -> None:
    if engine.files.links:
        engine.refuses = "no space left on device"
        assert call(engine, "exchange slot") == (1, "no space left on device")
        assert names(engine) == {"latest": OLD, "current": NEW, "previous": OLDER}


def test_a_manifest_list_is_the_first_of_its_manifests(tmp_path: Path) -> None:
    """What the engine has made of a model's weights since is a row of the same name."""
    parts = [{"digest": f"sha256:{sha256(text)}", "mediaType": "m"} for text in (OLD, NEW)]
    with fake_engine(tmp_path / "store", "0.40.0") as engine:
        keep(engine, *WEIGHTS, OLD, NEW)
        engine.files.write("slot:latest", json.dumps({"mediaType": LIST, "manifests": parts}))
        assert call(engine, "digest_of slot:latest") == (0, sha256(OLD))
        assert call(engine, "digests_of slot:latest") == (0, f"{sha256(OLD)}\n{sha256(NEW)}")
        assert call(engine, "mean slot:current slot:latest") == (0, "")
        assert engine.files.names()["slot:current"] == engine.files.names()["slot:latest"]


def test_all_that_a_store_of_links_has_is_known(tmp_path: Path) -> None:
    """For a prune: links, a port in a host's name, and a manifest list with all that it is of."""
    layer = {
        "digest": f"sha256:{'a' * 64}",
        "size": 7,
        "mediaType": "application/vnd.ollama.image.model",
        "from": "x",
    }
    config = {"digest": f"sha256:{'c' * 64}", "size": 3}
    with fake_engine(tmp_path / "store", "0.40.0") as engine:
        one = json.dumps({"config": config, "layers": [layer]})
        two = json.dumps({"config": config, "layers": [layer | {"digest": f"sha256:{'b' * 64}", "size": 9}]})
        for text in (one, two):
            (engine.files.path / "blobs" / f"sha256-{sha256(text)}").write_text(text)
        parts = [{"digest": f"sha256:{sha256(text)}"} for text in (one, two)]
        engine.files.write("slot:latest", json.dumps({"mediaType": LIST, "manifests": parts}))
        far = engine.files.path / "manifests-v2/hub%3A5000/me/x/7b"
        far.parent.mkdir(parents=True)
        far.symlink_to(f"../../../../blobs/sha256-{sha256(one)}")
        script = doubled("stored", f"engine_pid() {{ echo 1; }}; model_store() {{ echo {engine.files.path}; }}")
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    models = parse_stored(done.stdout.splitlines()).models
    assert models.keys() == {"registry.ollama.ai/library/slot:latest", "hub:5000/me/x:7b"}
    assert models["hub:5000/me/x:7b"].blobs == {f"sha256:{'a' * 64}": 7, f"sha256:{'c' * 64}": 3}
    slot = models["registry.ollama.ai/library/slot:latest"]
    assert {f"sha256:{it * 64}" for it in "abc"} < slot.blobs.keys()
    assert slot.parents == {"registry.ollama.ai/library/x:latest"}
