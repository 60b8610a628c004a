"""The scripts need no rights but those to the directories that they write."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, directory_host
from tests.unit.host.slots import memory, weights

NOBODY = pwd.getpwnam("nobody").pw_uid
AB, CB = declared("a:1b", "b:1b"), declared("c:1b", "b:1b")


@pytest.fixture
def nobodys() -> Iterator[DirectoryHost]:
    """A host that is nobody's, whoever runs the tests."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    before = os.umask(0)  # what the fakes write later is for nobody to change, too
    with directory_host(directory / "host") as host:
        host.user = None if os.getuid() else NOBODY
        yield host
    os.umask(before)
    shutil.rmtree(directory)


def test_the_whole_of_a_deploy_and_of_a_change(nobodys: DirectoryHost) -> None:
    for model in ("a:1b", "b:1b", "c:1b"):
        nobodys.engine.publish(model)
    for wanted, first in ((AB, "a:1b"), (CB, "c:1b")):
        nobodys.deploy(wanted)
        assert nobodys.warm_up().code == 0
        assert nobodys.faults(wanted) == {}
        assert memory(nobodys) == {weights(first), weights("b:1b")}
        assert nobodys.plan(wanted) == []
    owners = {it.stat().st_uid for it in (nobodys.root / "var/lib/ollama-slots").rglob("*")}
    assert owners == {NOBODY if os.getuid() == 0 else os.getuid()}
