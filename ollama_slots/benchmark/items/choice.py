"""Questions with four options: the answer is the letter that the model finds likeliest as its first token."""

from __future__ import annotations

from collections.abc import Mapping

from ollama_slots.benchmark.items.checks import LETTERS, Letter
from ollama_slots.benchmark.items.facts import GROUPS, RELATIONS
from ollama_slots.benchmark.items.item import Answer, Item, stream

ASKED = "Answer with the letter of the right option and nothing else."


def choice(seed: int, count: int) -> list[Item]:
    """Return questions without repetition; wrong options are the right ones of others."""
    questions = _questions()
    drawn = stream(seed, "choice").sample(questions, len(questions))
    if count > len(drawn):
        raise ValueError(f"expected at most {len(drawn)} questions, found {count}: ask for fewer")
    return [_item(seed, question, right, wrong) for question, right, wrong in drawn[:count]]


def _questions() -> list[tuple[str, str, list[str]]]:
    """Return all questions, each with its right option and all wrong ones."""
    found = []
    for question, facts in RELATIONS.items():
        values = sorted(set(facts.values()))
        found += [(question.format(it), right, [v for v in values if v != right]) for it, right in facts.items()]
    for group, members in GROUPS.items():
        wrong = [it for other, them in GROUPS.items() if other != group for it in them.split()]
        found += [(f"Which of these is {group}?", it, wrong) for it in members.split()]
    return found


def _item(seed: int, question: str, right: str, wrong: list[str]) -> Item:
    random = stream(seed, "choice", question, right)
    options = random.sample([right, *random.sample(wrong, len(LETTERS) - 1)], len(LETTERS))
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=True)]
    letter = LETTERS[options.index(right)]
    first: Mapping[str, float] = {letter: -0.1, **{it: -4.0 for it in LETTERS if it != letter}}
    prompt = "\n".join([question, "", *lines, "", ASKED])
    name = f"choice/{question}/{right}" if question.startswith("Which of these") else f"choice/{question}"
    return Item(name, prompt, Letter(letter), 1, Answer(letter, first=first))
