"""What was measured: validated, one candidate for each set of weights, and the composites made of it."""

import itertools
import json
from typing import Any

import pytest

from ollama_slots.benchmark.choice import composite, slots
from ollama_slots.benchmark.choice.measured import collapsed, parse
from tests.unit.benchmark.measured import decided, model, run, spread


def test_a_run_is_read_as_it_was_written_and_its_bytes_are_stable() -> None:
    made = run(model("b:1b"), model("a:1b", also_named=("c:1b",)), failed={"z": "no", "y": "no"})
    assert parse(made.text()) == made
    assert parse(made.text()).text() == made.text()
    content = json.loads(made.text())
    turned = {key: content[key] for key in reversed(content)}
    turned["models"] = [{**it, "answers": dict(reversed(it["answers"].items()))} for it in content["models"]]
    turned["failed"] = dict(reversed(content["failed"].items()))
    assert parse(json.dumps(turned)).text() == made.text()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "no such: name", "models.0.model: "),
        ("weights", "sha256:12", "models.0.weights: "),
        ("answers", {"write": {"write/1": 1}}, "models.0.answers.write.write/1: Input should be a valid boolean"),
        ("tokens_per_sec", {"median": 2, "low": 3, "high": 4}, "tokens_per_sec: expected low <= median <= high"),
        (
            "tokens_per_sec",
            {"median": 0, "low": 0, "high": 0},
            "tokens_per_sec.median: Input should be greater than 0",
        ),
        ("gpu_bytes", {"1": -1}, "models.0.gpu_bytes.1: Input should be greater than or equal to 0"),
        ("extra", 1, "models.0.extra: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_measurement_is_told_in_one_line(key: str, value: Any, message: str) -> None:
    content = json.loads(run(model("a")).text())
    content["models"][0][key] = value
    with pytest.raises(ValueError, match=r".") as raised:
        parse(json.dumps(content))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_models_with_the_same_weights_are_one_candidate_in_whichever_order() -> None:
    models = [
        model("coder:latest", weights="w"),
        model("coder:7b", weights="w", also_named=("coder:7b-instruct-q4_K_M",)),
        model("abcde:7b", weights="w", items=0.5),
        model("other:7b"),
    ]
    found = {run(*collapsed(it)).text() for it in itertools.permutations(models)}
    assert len(found) == 1
    twin, other = parse(found.pop()).models
    assert twin.model == "abcde:7b", "the shortest name, the first in the alphabet"
    assert twin.also_named == ("coder:7b", "coder:latest", "coder:7b-instruct-q4_K_M")
    assert twin.answers == models[1].answers, "half of the items stayed where there were all"
    assert other == models[3]


def test_a_composite_is_045_quality_030_speed_025_latency() -> None:
    models = [model("a", 0.5, speed=20, ttft=400), model("b", 0.75, speed=40, ttft=100)]
    by = slots.scales(models)["coding"]
    assert (by.fastest, by.slowest) == (40, 400)
    share = [composite.quality(it, "coding") or 0 for it in models]
    assert [composite.composite(it, "coding", by) for it in models] == pytest.approx(
        [0.45 * share[0] + 0.30 * 0.5, 0.45 * share[1] + 0.30 + 0.25 * 0.75]
    )


def test_what_is_below_the_floor_sets_no_scale_and_is_below_all_others() -> None:
    """A junk model three times as fast takes nothing from the others, and does not come second."""
    models = [model("a", 0.8, speed=40), model("b", 0.7, speed=30), model("c", 0.42, speed=10, ttft=1000)]
    junk = model("junk", 0.2, 0.9, speed=120, ttft=5)
    alone, beside = slots.scales(models)["coding"], slots.scales([*models, junk])["coding"]
    assert alone == beside
    assert composite.composite(junk, "coding", beside) < min(
        composite.composite(it, "coding", beside) for it in models
    )
    decision = decided(*models, junk)
    assert [decision.named(slot) for slot in (1, 2)] == ["a", "junk"]
    assert decision.named(3) != "junk"


def test_a_difference_of_speed_below_3_percent_or_within_the_spread_is_none() -> None:
    slow, same, fast = (model(it, speed=speed) for it, speed in (("a", 40), ("b", 41), ("c", 60)))
    by = slots.scales([slow, same, fast])["coding"]
    assert composite.ahead(same, slow, "coding", by) == composite.ahead(slow, same, "coding", by) == 0
    assert 0 < composite.ahead(fast, slow, "coding", by) < 0.30 * 20 / 60
    assert composite.ahead(slow, fast, "coding", by) < -0.30 * 20 / 60, (
        "what counts is the challenger at its worst"
    )
    noisy = slow.model_copy(update={"tokens_per_sec": spread(40, 0.5)})
    assert composite.ahead(fast, noisy, "coding", by) == 0


@pytest.mark.parametrize(
    ("passed", "asked", "low", "high"), [(146, 164, 0.833, 0.929), (0, 20, 0, 0.161), (5, 5, 0.566, 1)]
)
def test_the_interval_is_wilsons(passed: int, asked: int, low: float, high: float) -> None:
    assert composite.interval(passed, asked) == pytest.approx((low, high), abs=1e-3)
