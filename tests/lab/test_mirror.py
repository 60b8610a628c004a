"""A mirror: each byte once from its registry, whatever the fleet's size, and hosts that can reach nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import hosts as lab_hosts
from lab import registry
from tests.lab.conftest import SLOT4, serve
from tests.lab.fleet import SLOTS, STORE, Host, Project, model, until
from tests.lab.mirroring import UPSTREAM_LOG, URL, as_new, cut_off, lines, mirror, sent, served
from tests.lab.upstream import TRICKLE

MODELS = ("smollm2-coder:135m", "gemma3:270m", "smollm2:135m", "smollm2-math:135m")
OWN = "smollm2:135m"  # as if of Ollama's own registry
SPARE = model("smollm2-spare:135m")
STATE = "/var/lib/ollama-slots"
FROM_MIRROR = f"model_registry={URL}"
CHANGE = (FROM_MIRROR, f"slot4_model={SPARE}")
ASIDE = f"{STORE}/.ollama-slots"
ONLY_GPU1 = ("-y", "--limit", "gpu1")
MB = 10**6


@pytest.fixture
def fleet() -> list[Host]:
    return [Host(name) for name in lab_hosts.wanted()]


@pytest.fixture
def everywhere(checkout: Project, fleet: list[Host]) -> Iterator[Project]:
    """A copy of the project for all of the lab's hosts; what a test changes is undone after it."""
    serve()
    (checkout.path / "inventory.py").write_text(f"lab = {[host.name for host in fleet]}\n")
    yield checkout
    serve()
    checkout.select(slot3_backup=model(OWN))
    run = checkout.deploy(SLOT4)
    assert run.code == 0, run.output
    for host in fleet:
        forget(host)


def forget(host: Host) -> None:
    """Takes away what these tests bring, all that is made of it, and what a pull of it left."""
    # Not by `ollama rm`, which first unloads whatever runs on the same weights.
    for name in {"experimental:previous", OWN, SPARE} & set(host.tags()):
        host.api("/api/delete", {"model": name}, "DELETE")
    host.run(f"rm -rf {STATE}/previous/experimental.slot {STATE}/unfinished")


def digest(name: str) -> str:
    """A model's, as its registry has it."""
    return hashlib.sha256(registry.manifest(name).read_bytes()).hexdigest()


def blobs(*names: str) -> dict[str, int]:
    """What models are made of in their registry: bytes by digest."""
    manifests = [json.loads(registry.manifest(name).read_text()) for name in names]
    layers = [layer for it in manifests for layer in (*it["layers"], it["config"])]
    return {layer["digest"].removeprefix("sha256:"): layer["size"] for layer in layers}


def weights_in(tree: Path, name: str) -> Path:
    """The file of a model's weights in a mirror."""
    return tree / "v2" / model(name).partition(":135m")[0] / "blobs" / registry.weights(name).name


def test_a_fleet_with_no_way_out_has_each_byte_fetched_once(
    everywhere: Project, fleet: list[Host], tmp_path: Path, figures: list[str]
) -> None:
    tree, before = tmp_path / "mirror", lines(UPSTREAM_LOG)
    for arguments in ((), (model("smollm2-math:135m"), "--insecure")):
        run = mirror(everywhere, tree, *arguments)
        assert run.code == 0, run.output
    fetched, wanted = sent(UPSTREAM_LOG, before), blobs(*MODELS)
    assert fetched == {digest: [size] for digest, size in wanted.items()}
    filled = lines(UPSTREAM_LOG)

    # What Ollama's own registry has is for tests out of reach: as the command would have filled it in.
    shutil.copytree(tree / "v2" / model("smollm2"), tree / "v2" / "library" / "smollm2")
    everywhere.select(slot3_backup=OWN)
    for host in fleet:
        as_new(host)
    with served(tree), cut_off(fleet):
        for host in fleet:
            assert host.run(f"curl -s -m 5 http://{registry.ADDRESS}/", check=False).returncode == 7
        run = everywhere.deploy(FROM_MIRROR, SLOT4)
        assert run.code == 0, run.output
        for host in fleet:
            made = host.made()
            for name in MODELS:
                assert made[name if name == OWN else model(name)] == digest(name), host.name
            assert not [name for name in made if str(5080) in name]
            assert host.resident(*SLOTS)
            assert host.answers("backup")
            assert not host.out(f"find {ASIDE} -mindepth 1; find {STORE} ! -path {ASIDE} ! -user ollama")
        again = everywhere.deploy(FROM_MIRROR, SLOT4)
        assert (again.code, again.changes) == (0, 0), again.output
        status = everywhere.deploy(FROM_MIRROR, SLOT4, tasks="tasks/status.py")
        assert status.code == 0, status.output
    assert sent(UPSTREAM_LOG, filled) == {}
    total = sum(size for it in sent(tree / "mirror-access.log", to_hosts=True).values() for size in it)
    figures.append(
        f"{len(fleet)} hosts pull {len(MODELS)} models of {sum(wanted.values()) / MB:.0f} MB: the registry sent "
        f"{sum(size for it in fetched.values() for size in it) / MB:.0f} MB, the mirror {total / MB:.0f} MB"
    )


@pytest.fixture
def without_it(everywhere: Project, fleet: list[Host]) -> Host:
    """gpu1, which has every slot, and not the model that these tests bring."""
    run = everywhere.deploy(SLOT4, options=ONLY_GPU1)
    assert run.code == 0, run.output
    forget(fleet[0])
    return fleet[0]


def test_a_damaged_blob_is_refused_until_the_mirror_is_filled_again(
    everywhere: Project, without_it: Host, tmp_path: Path
) -> None:
    tree, host = tmp_path / "mirror", without_it
    assert mirror(everywhere, tree, SPARE, "--insecure").code == 0
    blob = weights_in(tree, "smollm2-spare:135m")
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 0xFF
    blob.write_bytes(content)
    before = host.made()
    with served(tree):
        dry = everywhere.deploy(*CHANGE, options=("--dry", "--limit", "gpu1"))
        assert dry.lines("[gpu1]", f"pull {SPARE}, 98 MB, for slot experimental"), dry.output
        run = everywhere.deploy(*CHANGE, options=ONLY_GPU1)
        assert run.code == 1
        why = f"blob {blob.name} of {URL} is damaged there, so it was rejected: fill the mirror again"
        assert run.lines("gpu1", f"pull of {SPARE} failed: {why}"), run.output
        assert host.made() == before
        assert all(host.answers(slot) for slot in SLOTS)

        check = mirror(everywhere, tree, "--check")
        assert check.code == 1
        assert check.lines(f"{SPARE}: blob {blob.name} is damaged"), check.output
        again = mirror(everywhere, tree, SPARE, "--insecure")
        assert again.code == 0, again.output
        assert again.lines(f"{SPARE}: blob {blob.name} is damaged in "), again.output
        run = everywhere.deploy(*CHANGE, options=ONLY_GPU1)
        assert run.code == 0, run.output
    assert host.parent("experimental") == SPARE
    assert host.made()[SPARE] == digest("smollm2-spare:135m")


def test_a_bundle_is_carried_in_and_a_deploy_that_is_killed_goes_on(
    everywhere: Project, without_it: Host, tmp_path: Path, figures: list[str]
) -> None:
    tree, carried, host = tmp_path / "mirror", tmp_path / "carried", without_it
    assert mirror(everywhere, tree, SPARE, "--insecure").code == 0
    shutil.copytree(tree, carried)
    shutil.rmtree(tree)
    registry.stop()
    check = mirror(everywhere, carried, "--check")
    assert (check.code, check.output) == (0, f"{SPARE}: whole\n")
    with served(carried, TRICKLE):
        run = everywhere.start("--limit", "gpu1", *(word for it in CHANGE for word in ("--data", it)))
        until("it fetches", lambda: fetched(host) > 5 * MB)
        run.kill()
        run.wait(60)
        seconds = until("nothing of it goes on", lambda: host.run("pgrep -x curl", check=False).returncode)
        figures.append(f"pyinfra killed in a fetch: on the host it ends {seconds:.1f} s later")
        until("it is recorded", lambda: "1" in host.out(f"cut -d ' ' -f 2 {STATE}/unfinished/*"))
        prune = everywhere.deploy(SLOT4, tasks="tasks/prune.py", options=ONLY_GPU1)
        assert prune.lines("gpu1", SPARE, "its pull is unfinished, and no slot has"), prune.output
    kept = fetched(host)
    with served(carried):
        last = everywhere.deploy(*CHANGE, options=ONLY_GPU1)
        assert last.code == 0, last.output
    assert last.lines("gpu1", f"{SPARE}: resuming at {kept // MB} MB"), last.output
    assert host.made()[SPARE] == digest("smollm2-spare:135m")
    assert not host.out(f"find {ASIDE} {STATE}/unfinished -mindepth 1")
    weights = registry.weights("smollm2-spare:135m")
    brought = sum(sent(carried / "mirror-access.log", to_hosts=True)[weights.name.removeprefix("sha256:")])
    size = weights.stat().st_size
    figures.append(f"{size / MB:.0f} MB in two fetches, one of them killed: {brought / MB:.0f} MB were sent")
    assert brought < 1.1 * size


def fetched(host: Host) -> int:
    """Bytes that a fetch has brought by now."""
    return int(host.out(f"cat {ASIDE}/.fetch/sha256-* 2>/dev/null | wc -c"))


def test_a_plain_pull_works_as_well(everywhere: Project, fleet: list[Host], tmp_path: Path) -> None:
    """Under the mirror's own name; with `ollama pull` alone there is no other."""
    tree, host, name = tmp_path / "mirror", fleet[0], f"{URL.removeprefix('http://')}/library/{OWN}"
    assert mirror(everywhere, tree, model(OWN), "--insecure").code == 0
    shutil.copytree(tree / "v2" / model("smollm2"), tree / "v2" / "library" / "smollm2")
    with served(tree):
        host.run(f"ollama pull --insecure {name}")
    assert host.made()[name] == digest(OWN)
    host.run(f"ollama rm {name}")
