"""The benchmark's chain, short: measured, chosen, deployed. ``make benchmark`` has it whole."""

from __future__ import annotations

from tests.lab.benchmark import FILE, HELD, PATIENCE, chosen, content, measured, with_few
from tests.lab.client import asking, assert_none_failed
from tests.lab.conftest import SLOT4
from tests.lab.fleet import SLOTS, Host, Project

SIZES = {"trivial": 3, "choice": 4}


def test_what_is_measured_beside_users_is_chosen_and_deployed(project: Project, gpu2: Host) -> None:
    measuring = with_few(project, SIZES)
    runners = gpu2.runners()
    with asking(gpu2, *SLOTS, pause=1, patience=PATIENCE) as records:
        run = measured(measuring)
    assert_none_failed(*records)
    assert gpu2.runners() == runners, "no slot was touched, and no candidate is left"
    assert run.lines(f"{FILE} is written"), run.output
    assert {*content(measuring)["results"]} == {*HELD}
    assert {*chosen(measuring)} <= {*HELD}
    text = (measuring.path / FILE).read_bytes()
    assert measured(measuring).lines(f"{FILE}: no change")
    assert (measuring.path / FILE).read_bytes() == text
    deployed = measuring.deploy(SLOT4)
    assert deployed.code == 0, deployed.output
    assert [gpu2.parent(it) for it in SLOTS[:3]] == chosen(measuring)
