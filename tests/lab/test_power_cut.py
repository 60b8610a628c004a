"""A host that loses its power loses nothing that it answered with, and nothing that was recorded.

All moments, and the other filesystem: make powercut.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from lab import hosts
from tests.lab.conftest import serve
from tests.lab.fleet import Host, Project
from tests.powercut.cut import Stage, cuts

MOMENTS = 2


@pytest.fixture
def stage(checkout: Project, gpu1: Host) -> Iterator[Stage]:
    """A host on a filesystem of its own, for the time of a test."""
    serve()
    yield Stage(checkout, gpu1, "xfs")
    hosts.renew(gpu1.name)


def test_the_power_is_cut_at_moments_of_a_first_deploy_and_of_a_rotation(stage: Stage, figures: list[str]) -> None:
    outcomes = list(cuts(stage, MOMENTS, Random(1)))
    figures.extend(f"power cut: {outcome}" for outcome in outcomes)
    assert [outcome.wrong for outcome in outcomes if outcome.wrong] == []
