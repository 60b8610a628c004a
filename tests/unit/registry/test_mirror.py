"""The command that fills a mirror, from a registry that is served by HTTP here."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ollama_slots import mirror
from ollama_slots.registry import download
from ollama_slots.registry.tree import Tree
from tests.unit.host.served import CONFIG, WEIGHTS, Registry, served, sha256

W, C = f"sha256:{sha256(WEIGHTS)}", f"sha256:{sha256(CONFIG)}"
P = b'{"temperature":0.2}'


@pytest.fixture
def registry() -> Iterator[Registry]:
    with served() as it:
        it.publish("Me/X.y", "Q4", WEIGHTS)
        it.publish("me/twin", "latest", WEIGHTS, P)
        yield it


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


def host(registry: Registry) -> str:
    return registry.url.removeprefix("http://")


def model(registry: Registry, name: str = "Me/X.y:Q4") -> str:
    return f"{host(registry)}/{name}"


def run(tree: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ollama_slots.mirror", str(tree), *arguments],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def fill(tree: Path, *models: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return run(tree, *models, "--insecure", code=code)


def test_a_model_is_where_a_host_asks_for_it(tree: Path, registry: Registry) -> None:
    done = fill(tree, model(registry))
    assert done.stdout == f"{model(registry)}: 2 blobs, 1.0 MB, of which 1.0 MB were fetched\n"
    repository = tree / "v2" / host(registry) / "me" / "x.y"
    manifest = registry.files["/v2/Me/X.y/manifests/Q4"]
    assert isinstance(manifest, bytes)
    assert {it.relative_to(repository).as_posix(): it.read_bytes() for it in repository.glob("*/*")} == {
        f"blobs/{W}": WEIGHTS,
        f"blobs/{C}": CONFIG,
        "manifests/q4": manifest,
        f"manifests/sha256:{sha256(manifest)}": manifest,
    }
    assert not list((tree / ".unfinished").iterdir())
    assert all(it.stat().st_mode & 0o444 == 0o444 for it in repository.rglob("*"))
    assert run(tree, "--check").stdout == f"{host(registry)}/me/x.y:q4: whole\n"


def test_a_blob_of_several_models_is_fetched_once_and_is_one_file(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry), model(registry, "me/twin"))
    assert sorted(registry.blobs()) == sorted(sha256(it) for it in (WEIGHTS, CONFIG, P))
    assert {it.stat().st_nlink for it in tree.glob(f"v2/**/{W}")} == {2}
    done = fill(tree, model(registry))
    assert "of which 0.0 MB were fetched" in done.stdout
    assert len(registry.blobs()) == 3
    assert not list((tree / ".unfinished").iterdir())


def test_a_damaged_blob_is_named_and_fetched_again_for_every_model(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry), model(registry, "me/twin"))
    damage(next(tree.glob(f"v2/**/{W}")))
    said = run(tree, "--check", code=1).stderr.splitlines()
    assert said == [
        f"{host(registry)}/me/twin:latest: blob {W} is damaged",
        f"{host(registry)}/me/x.y:q4: blob {W} is damaged",
        f"2 of 2 models are not whole: fill {tree} again",
    ]
    done = fill(tree, model(registry))
    assert done.stdout.count(f"blob {W} is damaged in {tree}/v2/") == 2
    assert registry.blobs().count(sha256(WEIGHTS)) == 2
    run(tree, "--check")
    assert {it.stat().st_nlink for it in tree.glob(f"v2/**/{W}")} == {2}


def test_a_damaged_blob_of_which_there_is_a_copy_is_not_fetched(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry), model(registry, "me/twin"))
    blob = tree / "v2" / host(registry) / "me" / "twin" / "blobs" / W
    blob.unlink()
    blob.write_bytes(b"x")
    fill(tree, model(registry, "me/twin"))
    assert blob.read_bytes() == WEIGHTS
    assert registry.blobs().count(sha256(WEIGHTS)) == 1


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def test_a_check_names_what_is_damaged_or_missing_without_any_network(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry), model(registry, "me/twin"))
    registry.shutdown()
    carried = shutil.copytree(tree, tree.with_name("carried"))
    run(carried, "--check")
    repository = carried / "v2" / host(registry) / "me"
    (repository / "twin" / "blobs" / f"sha256:{sha256(P)}").unlink()
    damage(repository / "x.y" / "manifests" / "q4")
    assert run(carried, "--check", code=1).stderr.splitlines() == [
        f"{host(registry)}/me/twin:latest: blob sha256:{sha256(P)} is missing",
        f"{host(registry)}/me/x.y:q4: its manifest is damaged",
        f"2 of 2 models are not whole: fill {carried} again",
    ]


def test_a_manifest_that_is_json_and_another_is_damaged(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry))
    [manifest] = tree.glob("v2/**/manifests/q4")
    manifest.unlink()
    manifest.write_bytes(b'{"config": {"digest": "%s", "size": %d}, "layers": []}' % (C.encode(), len(CONFIG)))
    assert "its manifest is damaged" in run(tree, "--check", code=1).stderr


def test_a_check_goes_behind_links_to_directories(tree: Path, registry: Registry, tmp_path: Path) -> None:
    fill(tree, model(registry), model(registry, "me/twin"))
    namespace = tree / "v2" / host(registry) / "me"
    elsewhere = namespace.rename(tmp_path / "disk")
    namespace.symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(tree / "v2")
    whole = f"{host(registry)}/me/twin:latest: whole\n{host(registry)}/me/x.y:q4: whole\n"
    assert run(tree, "--check").stdout == whole
    damage(elsewhere / "twin" / "blobs" / f"sha256:{sha256(P)}")
    said = f"{host(registry)}/me/twin:latest: blob sha256:{sha256(P)} is damaged\n"
    assert run(tree, "--check", code=1).stderr.startswith(said)
    fill(tree, model(registry, "me/twin"))
    assert run(tree, "--check").stdout == whole
    elsewhere.rename(tmp_path / "away")
    said = f"{host(registry)}/me: is a link to what is not there\n1 of 1 models are not whole: fill {tree} again\n"
    assert run(tree, "--check", code=1).stderr == said


def test_a_repository_behind_a_link_may_be_on_another_disk(tree: Path, registry: Registry) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:
        namespace = tree / "v2" / host(registry) / "me"
        namespace.mkdir(parents=True)
        (namespace / "x.y").symlink_to(disk)
        fill(tree, model(registry), model(registry, "me/twin"))
        assert run(tree, "--check").stdout.count(": whole\n") == 2
        damage(min(Path(disk).glob("blobs/sha256:*")))
        fill(tree, model(registry, "me/twin"), model(registry))
        assert run(tree, "--check").stdout.count(": whole\n") == 2


def test_a_directory_that_is_not_for_its_reader_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = tmp_path / "v2" / "lost+found"
    lost.mkdir(parents=True)
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != lost and may(path, mode))
    assert [*Tree(tmp_path).check()] == []


def test_a_registry_that_speaks_plain_http_is_for_insecure(tree: Path, registry: Registry) -> None:
    said = run(tree, model(registry), code=1).stderr
    what = "name the MODEL and give --insecure, or set pull_insecure for the inventory's hosts"
    assert said.endswith(f"SSLError: where it speaks plain HTTP, {what}\n")


def test_a_directory_without_a_model_is_no_mirror(tree: Path) -> None:
    assert run(tree, "--check", code=1).stderr == f"{tree}: expected a mirror, found no model in it\n"


def test_a_connection_that_breaks_is_made_again_for_what_is_missing(tree: Path, registry: Registry) -> None:
    registry.cut = [300_000, 400_000]
    fill(tree, model(registry))
    assert registry.sent[f"/v2/Me/X.y/blobs/{W}"] < len(WEIGHTS) + 2 * download.CHUNK


def test_what_came_before_an_interruption_is_not_fetched_again(tree: Path, registry: Registry) -> None:
    registry.cut = [300_000, 0]
    done = fill(tree, model(registry), code=1)
    assert done.stderr.startswith(f"{model(registry)}: failed: {host(registry)}: ")
    assert not list(tree.glob("v2/**/manifests/*"))
    assert "resuming at 0 MB" in fill(tree, model(registry)).stdout
    assert registry.sent[f"/v2/Me/X.y/blobs/{W}"] < len(WEIGHTS) + 2 * download.CHUNK
    run(tree, "--check")


def test_a_run_that_was_ended_while_it_published_leaves_no_other_models_manifest(
    tree: Path, registry: Registry
) -> None:
    """Its file may be a name of what is published: whoever wrote into it would write there."""
    fill(tree, model(registry))
    [published] = [it for it in tree.glob("v2/**/manifests/*") if not it.name.startswith("sha256:")]
    unfinished = tree / ".unfinished"
    unfinished.mkdir(exist_ok=True)
    (unfinished / "manifest").hardlink_to(published)
    before = published.read_bytes()
    fill(tree, model(registry, "me/twin"))
    assert published.read_bytes() == before
    run(tree, "--check")


def test_nor_is_it_blamed_on_a_registry_that_was_repaired_since(tree: Path, registry: Registry) -> None:
    registry.cut = [300_000, 0]
    registry.files[f"/v2/Me/X.y/blobs/{W}"] = b"x" + WEIGHTS[1:]
    fill(tree, model(registry), code=1)
    registry.files[f"/v2/Me/X.y/blobs/{W}"] = WEIGHTS
    fill(tree, model(registry))
    run(tree, "--check")


def test_a_registry_without_byte_ranges_is_asked_for_all_of_it_again(tree: Path, registry: Registry) -> None:
    registry.cut, registry.ranges = [300_000], False
    fill(tree, model(registry))
    run(tree, "--check")


@pytest.mark.parametrize("content", [b"x" + WEIGHTS[1:], WEIGHTS[:-1], WEIGHTS + b"x", b""])
def test_what_is_damaged_in_its_registry_is_not_taken(tree: Path, registry: Registry, content: bytes) -> None:
    registry.files[f"/v2/Me/X.y/blobs/{W}"] = content
    done = fill(tree, model(registry), code=1)
    assert done.stderr == (f"{model(registry)}: failed: blob {W} is damaged in its registry, so it was rejected\n")
    assert not list(tree.glob("v2/**/*"))
    assert not list((tree / ".unfinished").iterdir())


def test_the_others_are_filled_where_one_fails(tree: Path, registry: Registry) -> None:
    gone, away = model(registry, "me/gone"), "127.0.0.1:9/me/x:latest"
    registry.files["/v2/me/odd/manifests/latest"] = b"<html>"
    done = fill(tree, gone, away, model(registry, "me/odd"), model(registry), code=1)
    assert done.stderr.splitlines() == [
        f"{gone}:latest: failed: {host(registry)} has no such model: correct its name",
        f"{away}: failed: 127.0.0.1:9: ConnectionError: Connection refused",
        f"{model(registry, 'me/odd')}:latest: failed: {host(registry)} did not answer with a manifest",
    ]
    assert done.stdout.startswith(f"{model(registry)}: 2 blobs")


def test_a_model_that_moved_in_its_registry_is_replaced(tree: Path, registry: Registry) -> None:
    fill(tree, model(registry))
    manifest = registry.publish("Me/X.y", "Q4", WEIGHTS[:1000])
    fill(tree, model(registry))
    assert next(tree.glob("v2/**/manifests/q4")).read_bytes() == manifest
    run(tree, "--check")


def test_all_models_that_the_inventory_declares(tmp_path: Path, tree: Path, registry: Registry) -> None:
    slots = {
        "pull_insecure": True,
        "slot1_name": "a",
        "slot1_num_ctx": 1,
        "slot2_name": "b",
        "slot2_num_ctx": 1,
        "slot3_name": "c",
    }
    data = {
        **slots,
        "slot3_num_ctx": 1,
        "slot2_model": "none",
        "slot3_model": "none",
        "slot1_model": model(registry),
    }
    other = {**data, "slot1_model": model(registry).upper(), "slot3_model": model(registry, "me/twin")}
    registry.publish("me/challenger", "1b", WEIGHTS)
    other["benchmark_models"] = [model(registry, "me/challenger:1b"), model(registry)]
    inventory = tmp_path / "hosts.py"
    inventory.write_text(f"g = [('a', {data}), ('b', {other})]")
    done = run(tree, "--inventory", str(inventory))
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        model(registry),
        model(registry, "me/twin:latest"),
        model(registry, "me/challenger:1b"),
    ]


def test_an_inventory_that_asks_for_nothing(tmp_path: Path, tree: Path) -> None:
    inventory = tmp_path / "hosts.py"
    inventory.write_text("g = [('a', {'slot1_model': None, 'slot2_model': None, 'slot3_model': 'none'})]")
    done = run(tree, "--inventory", str(inventory), code=1)
    assert done.stderr == f"{inventory}: expected hosts whose slots declare models, found none\n"
    [line] = run(tree, "--inventory", str(tmp_path / "none.py"), code=1).stderr.splitlines()
    assert line.startswith(f"{tmp_path}/none.py: expected hosts, found none.")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["x y"], 1, "'x y' is not a model name"),
        (["gpt-oss:120b-cloud"], 1, "runs in Ollama's cloud"),
        (["--insecure"], 2, "--insecure is for MODELs that are named"),
        (["--check", "x"], 2, "--check looks at all that is in DIR"),
    ],
)
def test_bad_arguments_are_told_of(tree: Path, arguments: list[str], code: int, said: str) -> None:
    assert said in run(tree, *arguments, code=code).stderr.splitlines()[-1]
    assert not tree.exists()


def test_two_runs_do_not_fill_one_directory(tree: Path, registry: Registry) -> None:
    with mirror.Tree(tree).alone():
        done = fill(tree, model(registry), code=1)
    assert done.stderr == f"another run is filling {tree}: try again when it is done\n"
    assert registry.asked == []


def test_it_shows_its_progress(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(download, "LOOK_SECONDS", 0)
    big = WEIGHTS * 4
    registry.publish("me/big", "latest", big)
    url = f"{registry.url}/v2/me/big/blobs/sha256:{sha256(big)}"
    assert download.download(url, tmp_path / "big", f"sha256:{sha256(big)}", len(big), "me/big:latest") == len(big)
    first, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("me/big:latest: 0 of 4 MB, ")
    assert first.endswith(" s left")


def test_a_blob_that_is_not_there_is_an_error_of_its_own(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(requests.HTTPError):
        download.download(f"{registry.url}/v2/x/blobs/{W}", tmp_path / "x", W, 7, "x")


def test_what_the_manifest_says_is_what_is_served(tree: Path, registry: Registry) -> None:
    """A size that is not the blob's would have each host refuse it."""
    manifest = json.loads(registry.publish("me/odd", "latest", WEIGHTS))
    manifest["layers"][0]["size"] -= 1
    registry.files["/v2/me/odd/manifests/latest"] = json.dumps(manifest).encode()
    assert f"blob {W} is damaged in its registry" in fill(tree, model(registry, "me/odd"), code=1).stderr


def test_the_page_shows_the_configuration_as_it_is() -> None:
    """For whoever has the package and no checkout."""
    root = Path(__file__).parents[3]
    file = (root / "mirror" / "nginx.conf").read_text(encoding="utf-8")
    shown = textwrap.indent(file[file.index("\npid ") + 1 :], "    ")
    assert shown in (root / "docs" / "mirror.md").read_text(encoding="utf-8")
