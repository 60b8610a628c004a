"""The flavours of a host in the lab, as far as they can be looked at without one."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.lab.hosts import of_gpus, of_logins, of_owners, of_slots, of_stores  # noqa: F401 (they register)
from tests.lab.hosts.flavour import FLAVOURS, LOOK, Flavour


def test_each_is_a_row_of_its_own() -> None:
    titles = [it.has for it in FLAVOURS]
    assert len(set(titles)) == len(titles) > 40
    assert not [it for it in titles if "|" in it]


@pytest.mark.parametrize("it", FLAVOURS, ids=[it.has[:60] for it in FLAVOURS])
def test_what_makes_it_and_undoes_it_is_shell(it: Flavour) -> None:
    re.compile(it.says)
    for script in (f"set -e\n{it.make}", it.undo, LOOK):
        read = subprocess.run(["sh", "-n"], input=script, capture_output=True, text=True, timeout=20, check=False)
        assert (read.returncode, read.stderr) == (0, ""), script
