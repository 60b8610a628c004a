"""The host of plain values that plans are tested on, and the scripts of host/, come to the same, step by step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ollama_slots.core.settings import Settings
from tests.unit.core.test_plan_converges import BASES, DECLARED, SLOTS
from tests.unit.host.both import both
from tests.unit.host.directory_host import directory_host

EVENTS = st.one_of(
    st.tuples(st.sampled_from(["delete base", "move base", "lose weights"]), st.sampled_from(BASES)),
    st.tuples(
        st.sampled_from(["delete variant", "change variant", "lose state", "edit Modelfile", "evict"]),
        st.sampled_from(SLOTS),
    ),
    st.tuples(st.just("restart"), st.none()),
)
HISTORY = st.lists(st.tuples(DECLARED, st.lists(EVENTS, max_size=2)), min_size=2, max_size=3)


# Few: each takes seconds. Where one fails, what led to it is in the failure: there is no time to look for less.
@settings(max_examples=4, phases=[Phase.generate])
@given(HISTORY, st.booleans(), st.sampled_from([9, len(SLOTS)]))
def test_two_implementations_of_a_host_agree(
    history: list[tuple[Settings, list[tuple[str, Any]]]], previous: bool, most: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, directory_host(Path(directory) / "host") as host:
        it = both(host, most)
        for wanted, events in history:
            it.deploy(wanted)
            it.warm_up(wanted)
            for what, where in events:
                it.happens(what, where)
        it.go_back(wanted)
        it.prune(wanted.model_copy(update={"prune_previous": previous}))
        it.compare(wanted)
