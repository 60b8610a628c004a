"""Judge an answer. Pure, but for programs, which somebody else runs."""

from __future__ import annotations

from collections.abc import Callable

from ollama_slots.benchmark.items import extract
from ollama_slots.benchmark.items.item import Answer, ByTests, Item, NotAnsweredError, Outcome, Verdict


def judged(item: Item, answer: Answer, tested: Callable[[str, ByTests], str]) -> Verdict:
    """Return how an item went.

    An answer that was cut and is right all the same has passed.

    + tested: runs a program and its tests, and returns why it does not pass, nothing if it does.
    """
    try:
        if not answer.text.strip() and not answer.first:
            raise NotAnsweredError("expected an answer, found none")
        if isinstance(item.check, ByTests):
            wrong = tested(extract.program(answer.text), item.check)
        else:
            wrong = item.check.wrong(answer)
        outcome = Outcome.FAILED if wrong else Outcome.PASSED
    except NotAnsweredError as error:
        outcome, wrong = Outcome.NOT_ANSWERED, str(error)
    if answer.cut and item.tokens > 1 and outcome is not Outcome.PASSED:  # one token is always cut
        return Verdict(Outcome.RAN_OUT, f"cut after {len(answer.text)} characters: {_shown(wrong)}")
    return Verdict(outcome, _shown(wrong))


def _shown(text: str) -> str:
    """Return a text of a model's on one line, with nothing that a terminal obeys."""
    return "".join(it if it.isprintable() else " " for it in text)[:200]
