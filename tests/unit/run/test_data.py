"""run/data.py: the data of all hosts of a run are checked before any of them is asked anything."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import Inventory, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host, ctx_state

from ollama_slots.run import data


def declared_for(first: dict[str, Any], second: dict[str, Any], only_first: bool = False) -> str | None:
    """The model of slot one of the first of two hosts."""
    inventory = Inventory(([("@fake/a", first), ("@fake/b", second)], {}))  # type: ignore[no-untyped-call]
    hosts = list(inventory)
    state = State(inventory, initial_limit=hosts[:1] if only_first else None)
    for it in hosts:
        state.activate_host(it)
    with ctx_state.use(state), ctx_host.use(hosts[0]):
        hosts[0].data.slot2_model = "later:1b"  # as by a deploy.py
        return {it.number: it.model for it in data.settings().slots}[1]


def test_wrong_data_of_one_host_end_the_run_before_another_is_asked() -> None:
    good, bad = {"slot1_model": "a:1b"}, {"slot1_num_ctx": "x"}
    assert declared_for(good, good) == "a:1b"
    with pytest.raises(PyinfraError, match=r"^@fake/b: slot1_num_ctx: "):
        declared_for(good, bad)
    assert declared_for(good, bad, only_first=True) == "a:1b", "--limit leaves the other out"


def test_what_a_deploy_gives_a_host_after_that_counts() -> None:
    inventory = Inventory(([("@fake/a", {"slot1_model": "a:1b"})], {}))  # type: ignore[no-untyped-call]
    [host] = inventory
    state = State(inventory)
    state.activate_host(host)
    with ctx_state.use(state), ctx_host.use(host):
        assert data.settings().slots[0].model == "a:1b"
        host.data.slot1_model = "b:1b"
        assert data.settings().slots[0].model == "b:1b"
