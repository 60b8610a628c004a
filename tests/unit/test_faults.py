"""The page of the faults has a row for each of them, as it is called now."""

from __future__ import annotations

import re
from pathlib import Path

from tests.lab.faults import of_disks, of_engines, of_hosts, of_registries, of_states
from tests.lab.faults.fault import FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_the_page_has_a_row_for_each_fault() -> None:
    kinds = {it.__name__ for it in (of_disks, of_engines, of_hosts, of_registries, of_states)}
    assert {it.play.__module__ for it in FAULTS} == kinds
    rows = re.findall(r"^\| ([^|]+) \| -?[0-9]+ \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(it.title for it in FAULTS), "write it anew: make faults"
