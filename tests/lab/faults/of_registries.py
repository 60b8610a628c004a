"""Registries that do not serve what they should."""

from __future__ import annotations

import os
import signal
from subprocess import Popen

from lab import registry
from tests.lab.faults.fault import Stage, fault
from tests.lab.fleet import STORE, Host, catch, model
from tests.lab.upstream import TRICKLE, UPSTREAM, upstream

BASE = "unknown-arch:135m"  # which no slot can ever have
NEW = f"slot4_model={UPSTREAM}/{BASE}"


def absent(host: Host) -> None:
    """Has the host pull all of BASE."""
    for name in (model(BASE), f"{UPSTREAM}/{BASE}"):
        if name in host.tags():
            host.api("/api/delete", {"model": name}, "DELETE")
    host.run(f"rm -rf {STORE}/blobs/*-partial* /var/lib/ollama-slots/unfinished")


def pulling(stage: Stage) -> bool:
    """Whether some bytes of a blob have come."""
    return stage.gpu1.run(f"ls {STORE}/blobs | grep -q partial", check=False).returncode == 0


@fault(1, "found no such model in its registry", again=False)
def missing_tag(stage: Stage) -> None:
    """A tag that its registry does not have."""
    stage.deploy(f"slot2_model={model('nosuch:7b')}")


@fault(1, "pull of .* failed: .*connection refused", again=False)
def gone(stage: Stage) -> None:
    """The registry is gone."""
    stage.deploy(NEW)


@fault(1, "pull of .* (failed|stalled): ", again=False)
def gone_in_mid_blob(stage: Stage) -> None:
    """The registry goes away in mid-blob."""
    with upstream(stage.path, TRICKLE) as nginx:

        def go(_: Popen[str]) -> None:
            catch("a blob is under way", lambda: pulling(stage))
            nginx.kill()

        stage.deploy(NEW, "pull_stall_seconds=5", during=go)


@fault(1, "pull of .* (stalled: .* of .* bytes|failed: .*(slow|timed out))", again=False)
def stalled(stage: Stage) -> None:
    """The registry stalls in mid-blob."""
    with upstream(stage.path, TRICKLE) as nginx:

        def stall(_: Popen[str]) -> None:
            catch("a blob is under way", lambda: pulling(stage))
            os.kill(nginx.pid, signal.SIGSTOP)

        stage.deploy(NEW, "pull_stall_seconds=3", during=stall)


@fault(1, "pull of .* failed: digest mismatch", again=False)
def damaged(stage: Stage) -> None:
    """The registry serves a damaged blob."""
    with registry.damaged(BASE):
        stage.deploy(f"slot4_model={model(BASE)}")


@fault(1, "pull of .* failed: .*500", again=False)
def broken(stage: Stage) -> None:
    """The registry answers 500."""
    with upstream(stage.path, "return 500;"):
        stage.deploy(NEW)


@fault(1, "pull of .* failed: .*429", again=False)
def busy(stage: Stage) -> None:
    """The registry answers 429, too many requests."""
    with upstream(stage.path, "return 429;"):
        stage.deploy(NEW)


@fault(1, "pull of .* failed: ", again=False)
def a_page(stage: Stage) -> None:
    """The registry answers with a page for people, as a proxy's login does."""
    with upstream(stage.path, "default_type text/html; return 200 '<html><body>Log in first</body></html>';"):
        stage.deploy(NEW)
