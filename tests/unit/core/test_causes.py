"""Two hosts that fail for the same cause have it in common, and no others do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.causes import cause, told

SAME = [
    (
        "slot backup: only 3 of its 5 bytes in GPU memory",
        "slot backup: only 10000 of its 20000 bytes in GPU memory",
    ),
    ("slot a: only 3.1 of its 4.6 GB in GPU memory", "slot a: only 0.5 of its 4.6 GB in GPU memory"),
    ("slot a: context window of 2048 tokens, not 4096", "slot a: context window of 512 tokens, not 8192 or 16384"),
    ("slot a: expires at 2026-01-15T10:35:00Z", "slot a: expires at 2026-11-15T23:05:09.123456+01:00"),
    (
        "slot a: expected a as it was made, 3ce2e94bd8e2, found one changed by hand, 8b1f0d5f6c0a",
        "slot a: expected a as it was made, 3ce2e94bd8e2, found one changed by hand, 000000000000",
    ),
    ("x:7b: sha256-" + 64 * "a" + " is damaged", "x:7b: sha256-" + 64 * "0" + " is damaged"),
    (
        "GPU memory: expected 20.1 GB (one 12.05 + b 8.05), found 7.5 + 9.5 GB on 2 GPUs: with slot1_num_ctx=8192",
        "GPU memory: expected 20.1 GB (one 12.06 + b 8.04), found 3.5 + 1.0 GB on 2 GPUs: with slot1_num_ctx=512",
    ),
    ("pull of x:7b stalled: 5 of 9 bytes, none in 300 s", "pull of x:7b stalled: 7 of 9 bytes, none in 300 s"),
    (
        "slot a: expected at least 50 tokens per second, found 12.3",
        "slot a: expected at least 50 tokens per second, found 3.0",
    ),
    (
        "Ollama: expected version 0.10 to 0.34, found 0.9.1, old",
        "Ollama: expected version 0.10 to 0.34, found 0.5.11, old",
    ),
    ("read tcp 10.0.0.7:43212->10.0.0.1:5000: reset", "read tcp 10.0.0.8:51000->10.0.0.1:5000: reset"),
    ("waited 900 s for a deploy (pid 4242)", "waited 900 s for a deploy (pid 17)"),
]
OTHER = [
    ("slot backup: not in memory", "slot experimental: not in memory"),
    ("slot backup: not in memory", "slot backup: not made yet"),
    ("slot backup: not in memory", "not in memory"),
    ("slot a: holds llama3.1:8b, not llama3.1:70b", "slot a: holds llama3.1:8b, not llama3.2:70b"),
    ("slot a: holds llama3.1:8b, not x:7b", "slot a: holds llama3.1:70b, not x:7b"),
    ("pull of x:7b failed: HTTP 404", "pull of x:7b failed: HTTP 503"),
    ("pull of x:7b failed: no", "pull of x:13b failed: no"),
    ("pull of registry:5000/a/x:7b failed", "pull of registry:5001/a/x:7b failed"),
    ("pull of deadbeefcafe:7b failed", "pull of deadbeef0000:7b failed"),
    ("pull of team/deadbeefcafe failed", "pull of team/deadbeef0000 failed"),
    ("exit status 1", "exit status 2"),
    ("read tcp 10.0.0.7:43212->10.0.0.1:5000: reset", "read tcp 10.0.0.7:43212->10.0.0.2:5000: reset"),
    ("dial tcp 10.0.0.1:5000: connection refused", "dial tcp 10.0.0.2:5000: connection refused"),
    ("expected Ollama's ollama.service, found it masked", "expected Ollama's ollama.service, found it not-found"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_figures_digests_and_times_make_no_other_cause(one: str, other: str) -> None:
    assert one != other
    assert cause([one]) == cause([other])


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_slot_model_or_kind_is_another_cause(one: str, other: str) -> None:
    assert cause([one]) != cause([other])


MODEL = st.from_regex(r"[a-z][a-z0-9._-]{0,8}:[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
SLOT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}", fullmatch=True)


@given(SLOT, SLOT, MODEL, MODEL)
def test_no_slot_and_no_model_is_taken_for_another(slot: str, other: str, model: str, others: str) -> None:
    texts = {(s, m): cause([f"slot {s}: holds {m}, not x:7b"]) for s in (slot, other) for m in (model, others)}
    assert len(set(texts.values())) == len(texts)
    pulls = {cause([f"pull of {m} failed: {m}, and again {m}"]) for m in (model, others)}
    assert len(pulls) == len({model, others})


@given(*[st.integers(0, 10**12)] * 4)
def test_whatever_the_figures_are(a: int, b: int, c: int, d: int) -> None:
    for text in ("only {} of its {} bytes in GPU memory", "context window of {} tokens, not {}"):
        assert cause([f"slot a: {text.format(a, b)}"]) == cause([f"slot a: {text.format(c, d)}"])


def test_in_which_order_they_are_told_does_not_count() -> None:
    assert cause(["slot a: x", "slot b: y"]) == cause(["slot b: y", "slot a: x"]) != cause(["slot a: x"])


def test_slots_of_which_the_same_is_said_are_told_together() -> None:
    assert told(["slot a: not in memory", "ollama-warmup.service: disabled", "slot b: not in memory"]) == (
        "slots a, b: not in memory; ollama-warmup.service: disabled"
    )
    assert told(
        ["slot a: only 3 of its 5 bytes in GPU memory", "slot b: only 4 of its 9 bytes in GPU memory"]
    ) == ("slots a, b: only 3 of its 5 bytes in GPU memory")
    assert told(["no", "no 12 s"]) == "no; no 12 s"
