"""Disks that are full, damaged, or not Ollama's to write to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

from tests.lab.faults.fault import Stage, fault
from tests.lab.faults.of_registries import NEW, pulling
from tests.lab.fleet import STORE, Host, catch, model, until
from tests.lab.upstream import TRICKLE, upstream

STATES = "/var/lib/ollama-slots"
PROMPT = "slot1_system=You write correct, short Python."


@contextmanager
def small_disk(host: Host, directory: str, spare: int) -> Iterator[None]:
    """Puts a disk under a directory that has what was there, and so many KiB to spare; takes it away again."""
    host.run(
        f"size=$(($(du -sk {directory} | cut -f 1) + $(find {directory} | wc -l) * 4 + {spare})) && "
        "mkdir /small && "
        f"mount -t tmpfs -o size=${{size}}k small /small && cp -a {directory}/. /small/ && "
        f"chown --reference={directory} /small && mount --bind /small {directory}"
    )
    try:
        yield
    finally:
        host.run(f"umount -l {directory}; umount -l /small; rmdir /small")


def fill(host: Host, directory: str) -> None:
    """Fills a disk up to the last KiB."""
    host.run(f"cat /dev/zero >{directory}/.fill 2>/dev/null; df -k {directory}")


@fault(1, "disk: expected .* found .* GB free", again=False)
def too_small(stage: Stage) -> None:
    """The disk has no room for what is to be pulled."""
    with upstream(stage.path, TRICKLE), small_disk(stage.gpu1, STORE, 50_000):
        stage.deploy(NEW)


@fault(1, "pull of .* failed: .*no space left", again=False)
def full_in_a_pull(stage: Stage) -> None:
    """The disk is filled up by others in a pull."""
    with upstream(stage.path, TRICKLE), small_disk(stage.gpu1, STORE, 150_000):

        def go(_: Popen[str]) -> None:
            catch("a blob is under way", lambda: pulling(stage))
            fill(stage.gpu1, STORE)

        stage.deploy(NEW, "disk_headroom_gib=0", during=go)


@fault(1, "ollama create failed: .*no space left")
def full_in_a_create(stage: Stage) -> None:
    """The disk is full when a variant is made."""
    with small_disk(stage.gpu1, STORE, 0):
        fill(stage.gpu1, STORE)
        stage.deploy(PROMPT)


@fault(1, "its state could not be written")
def full_when_the_state_is_written(stage: Stage) -> None:
    """The disk is full when a slot's state is written."""
    with small_disk(stage.gpu1, STATES, 0):
        fill(stage.gpu1, STATES)
        stage.deploy(PROMPT)


@fault(1, "expected that root reads and writes Ollama's models, found that it cannot write to")
def read_only(stage: Stage) -> None:
    """The directory of the models is read-only."""
    stage.gpu1.run(f"mount --bind {STORE} {STORE} && mount -o remount,bind,ro {STORE}")
    try:
        stage.deploy(PROMPT)
    finally:
        stage.gpu1.run(f"umount -l {STORE}")


@fault(1, "ollama create failed: .*(operation not permitted|permission denied)")
def not_its_own(stage: Stage) -> None:
    """The models are not owned by ollama."""
    stage.gpu1.run(f"chown -R root:root {STORE}")
    try:
        stage.deploy(PROMPT)
    finally:
        stage.gpu1.run(f"chown -R ollama:ollama {STORE}")


@fault(0, "pull .*, for slot backup", loses=True)
def truncated(stage: Stage) -> None:
    """A slot's weights are cut short on the host's disk."""
    blob = f"{STORE}/blobs/sha256-{stage.gpu1.weights('backup')}"
    stage.gpu1.run(f"head -c 50M {blob} >{blob}.cut && mv {blob}.cut {blob}")
    stage.gpu1.unload("backup")
    stage.deploy()


@fault(0, "pull .*, for slot backup: its weights, .*, are damaged on the disk or gone", loses=True)
def zeros(stage: Stage) -> None:
    """A slot's weights have their size and are zeros, as after a power cut; Ollama is started anew."""
    blob = f"{STORE}/blobs/sha256-{stage.gpu1.weights('backup')}"
    stage.gpu1.run(f"size=$(stat -c %s {blob}); truncate -s 0 {blob}; truncate -s $size {blob}")
    stage.gpu1.run("systemctl restart ollama", check=False)
    until("the warm-up is over", lambda: stage.gpu1.active("ollama-warmup") == "failed", 90)
    stage.deploy()


@fault(0, "pull .*spare.*: its weights, .*, are damaged on the disk or gone", again=False)
def zeros_of_a_base(stage: Stage) -> None:
    """The weights of the base that a slot is to get have their size and are zeros."""
    base = model("smollm2-spare:135m")
    stage.gpu1.api("/api/pull", {"model": base, "insecure": True, "stream": False})
    blob = f"{STORE}/blobs/sha256-{stage.gpu1.weights(base)}"
    stage.gpu1.run(f"size=$(stat -c %s {blob}); truncate -s 0 {blob}; truncate -s $size {blob}")
    stage.deploy(f"slot1_model={base}")


@fault(0, "pull .*, for slot backup", loses=True)
def lost(stage: Stage) -> None:
    """A slot's weights are gone from the host's disk."""
    stage.gpu1.run(f"rm {STORE}/blobs/sha256-{stage.gpu1.weights('backup')}")
    stage.gpu1.unload("backup")
    stage.deploy()
