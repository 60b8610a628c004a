"""Speed is what durations say, of answers that are long enough, in runs that nobody else disturbs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ollama_slots.benchmark.asking import speed, timing
from ollama_slots.benchmark.asking.ask import Slot
from ollama_slots.benchmark.asking.request import Request, refusal
from ollama_slots.benchmark.asking.timing import FULL, Procedure, Run
from ollama_slots.benchmark.cache import BenchmarkError
from ollama_slots.host.questions import Reply

SLOT = Slot("one", "v", "w")
SHORT = Procedure(warm_ups=1, runs=3, at_depth=2, tries=2)


def reply(tokens: int = 128, seconds: float = 2, wait: float = 0.5, busy: int | None = 0, **other: Any) -> Reply:
    said: dict[str, Any] = {
        "done": True,
        "eval_count": tokens,
        "eval_duration": int(seconds * 1e9),
        "load_duration": 3 * 10**8,
        "total_duration": int((seconds + wait + 0.3) * 1e9),
    }
    return Reply(json.dumps(said | other), 0.1, 0.2, 200, 0, busy, 0, 10**9)


class Told:
    """What answers, reply by reply; then always the last one."""

    def __init__(self, *replies: Reply) -> None:
        self.replies, self.asked = list(replies), list[Request]()

    def __call__(self, requests: Sequence[Request]) -> tuple[list[Reply], str]:
        self.asked += requests
        return [self.replies.pop(0) if len(self.replies) > 1 else self.replies[0] for _ in requests], ""


def test_a_run_is_what_the_engine_s_durations_say_without_the_load() -> None:
    assert timing.run(reply(wait=0.5), 128) == Run(64.0, 500.0)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (reply(127), "an answer ended after 127 of 128 tokens"),
        (reply(done=False), "an answer ended after 128 of 128 tokens"),
        (reply(eval_count=None), "an answer ended after 0 of 128 tokens"),
        (reply(eval_duration=0), "an answer had no durations"),
        (reply(total_duration=0), "an answer had no durations"),
        (Reply("", 0, 300, 0, 28), "expected an answer, found none in time"),
        (Reply("", 0, 1, 0, 52), "expected an answer, found none (curl ended with 52)"),
        (
            Reply('{"error":"token repeat limit"}', 0, 1, 500, 0),
            "expected an answer, found HTTP 500: token repeat limit",
        ),
        (Reply("no", 0, 1, 200, 0), "expected an answer, found HTTP 200: no"),
    ],
)
def test_what_says_nothing_of_the_speed_is_told(found: Reply, why: str) -> None:
    assert timing.run(found, 128) == why


def test_the_median_has_least_and_most_beside_it() -> None:
    told = Told(reply(seconds=99), reply(seconds=2), reply(seconds=4), reply(seconds=1), reply())
    found = speed.measure(SLOT, told, 4096, print, SHORT)
    assert (found.tokens_per_sec.low, found.tokens_per_sec.median, found.tokens_per_sec.high) == (32, 64, 128)
    assert found.ttft_ms.median == pytest.approx(500)
    assert (found.gpu_bytes, found.set_aside, found.load_seconds) == (10**9, 0, None)
    assert [it.tokens for it in found.at_depth] == [1024, 3072]
    assert len(told.asked) == 1 + 3 + 2 * 2


def test_each_prompt_begins_otherwise_has_the_length_and_changes_no_slot() -> None:
    told = Told(reply())
    speed.measure(SLOT, told, 32768, print, FULL)
    prompts = [it.body["prompt"] for it in told.asked]
    assert len(prompts) == 2 + 7 + 2 * 3
    assert len({it[:8] for it in prompts}) == len(prompts)
    assert {round(len(it) / 4 / 100) for it in prompts} == {10, 82, 246}
    for it in told.asked:
        assert refusal(it, "one") is None
        assert it.timed
        assert it.body["options"] == {"temperature": 0, "seed": 0, "num_predict": 128}


def test_a_small_window_has_room_for_prompt_and_answer() -> None:
    told = Told(reply())
    speed.measure(SLOT, told, 512, print, Procedure(at_depth=0))
    assert {len(it.body["prompt"]) // 4 // 100 for it in told.asked} == {2}


def test_a_run_on_a_busy_host_is_set_aside_and_repeated() -> None:
    told = Told(reply(), reply(seconds=9, busy=11), reply(seconds=9, busy=None), reply(busy=10), reply())
    found = speed.measure(SLOT, told, 4096, print, SHORT)
    assert (found.set_aside, found.tokens_per_sec.low) == (2, 64)


def test_a_host_that_is_never_quiet_is_told_and_nothing_measured() -> None:
    with pytest.raises(BenchmarkError) as why:
        speed.measure(SLOT, Told(reply(busy=97)), 4096, print, SHORT)
    assert f"{why.value}" == (
        "slot one: host not quiet: expected 3 runs at 10 % or less, found 0 of 6, up to 97 % busy: "
        "measure when others do less there"
    )


def test_an_answer_that_ends_early_is_repeated_with_another_nonce_and_not_for_ever() -> None:
    told = Told(reply(), reply(12), reply(done=False), reply())
    assert speed.measure(SLOT, told, 4096, print, SHORT).set_aside == 0
    assert len({it.body["prompt"] for it in told.asked}) == len(told.asked) == 1 + 3 + 2 + 4
    with pytest.raises(BenchmarkError, match="timed 0 of 3 runs in 6: an answer ended after 5 of 128 tokens"):
        speed.measure(SLOT, Told(reply(5)), 4096, print, SHORT)


def test_what_cannot_be_measured_at_depth_is_left_out_and_told() -> None:
    lines: list[str] = []
    told = Told(*[reply()] * 4, Reply("", 0, 300, 0, 28))
    found = speed.measure(SLOT, told, 4096, lines.append, SHORT)
    assert found.at_depth == ()
    assert [it.partition("; ")[2] for it in lines] == [
        "the speed at 1024 tokens is left out",
        "the speed at 3072 tokens is left out",
    ]


def test_a_slot_that_goes_ends_it_with_the_reason() -> None:
    with pytest.raises(BenchmarkError, match="slot one: timed 1 of 3 runs: not in memory"):
        speed.measure(SLOT, lambda _: ([reply()], "not in memory"), 4096, print, Procedure(warm_ups=0, runs=3))
