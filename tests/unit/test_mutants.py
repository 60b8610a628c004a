"""tests/mutants.py: each fault that it plants can be planted, for its old text is there."""

from __future__ import annotations

import pytest

from tests.mutants import MORE, NAMED, OF_THE_WATCH, ROOT, Fault


@pytest.mark.parametrize("fault", [*NAMED, *OF_THE_WATCH, *MORE], ids=lambda it: it.name)
def test_a_fault_can_be_planted(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text().count(fault.old) == 1
    assert all((ROOT / "tests/unit" / it).exists() for it in fault.tests)
