"""What tells a right answer from a wrong one, where the answer is no program."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import exp
from typing import NamedTuple

from ollama_slots.benchmark.items import extract
from ollama_slots.benchmark.items.item import Answer, NotAnsweredError

NUMBER = re.compile(r"[-\u2212]?(\d{1,3}(,\d{3})+|\d{1,40})(\.\d{1,20})?")
LETTERS = "ABCD"


class Exactly(NamedTuple):
    """The whole answer is a text, letter by letter; spaces at the ends of lines do not count."""

    value: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        found = "\n".join(line.rstrip() for line in extract.whole(answer.text).splitlines())
        return "" if found == self.value else f"expected {self.value!r}, found {found[:60]!r}"


def _where(alone: bool, answer: Answer) -> str:
    """Return where an answer has to be: the whole of it, or what the last line says."""
    return extract.whole(answer.text) if alone else extract.last_line(answer.text)


class Number(NamedTuple):
    """The answer is a number: the whole of it, or what the last line says."""

    value: int
    alone: bool = False

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        text = _where(self.alone, answer).removesuffix(".")
        if not NUMBER.fullmatch(text):
            raise NotAnsweredError(f"expected a number, found {text[:60]!r}")
        found = Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))
        return "" if found == self.value else f"expected {self.value}, found {text[:60]}"


class Name(NamedTuple):
    """The answer is a word: the whole of it, or what the last line says; capitals do not count."""

    value: str
    alone: bool = False

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        text = _where(self.alone, answer)
        found = text.removesuffix(".").strip("'\"").lower()
        return "" if found == self.value.lower() else f"expected {self.value}, found {text[:60]!r}"


class Json(NamedTuple):
    """The answer is a JSON text and nothing else, or one in a code block."""

    value: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        text = answer.text.strip()
        block = re.fullmatch(r"```(?:json)?\n(.*)\n```", text, re.DOTALL)
        try:
            # As texts: to Python, 1 and True are equal.
            found = json.dumps(json.loads(block[1] if block else text), sort_keys=True)
        except (ValueError, RecursionError):
            raise NotAnsweredError(f"expected JSON and nothing else, found {text[:60]!r}") from None
        return (
            ""
            if found == json.dumps(json.loads(self.value), sort_keys=True)
            else f"expected {self.value}, found {text[:60]!r}"
        )


class Letter(NamedTuple):
    """The first token is most likely the letter of an option, by its log-probability among the four."""

    value: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        likely = dict.fromkeys(LETTERS, 0.0)
        for token, probability in answer.first.items():
            letter = token.strip(" \n▁Ġ")
            if letter in likely:
                likely[letter] += exp(min(probability, 0.0))
        if not any(likely.values()):
            raise NotAnsweredError(f"expected a letter as the first token, found {len(answer.first)} others")
        others = max(it for letter, it in likely.items() if letter != self.value)
        found = max(likely, key=likely.__getitem__)
        return "" if likely[self.value] > others else f"expected {self.value}, found {found}"


class Sentence(NamedTuple):
    """The answer is one sentence with so many words, one of which is first, and one last."""

    words: int
    first: str
    last: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        text = answer.text.strip()
        found = re.fullmatch(r"([A-Za-z']+( [A-Za-z']+)*)\.", text)
        if not found:
            return f"expected words and a full stop, found {text[:60]!r}"
        words = found[1].lower().split()
        if len(words) != self.words:
            return f"expected {self.words} words, found {len(words)}"
        if (words[0], words[-1]) != (self.first, self.last):
            return f"expected {self.first} first and {self.last} last, found {words[0]} and {words[-1]}"
        if len(set(words)) < len(words) / 2:
            return "expected a sentence, found the same words over and over"
        return ""


class Listed(NamedTuple):
    """The answer is a numbered list of so many different words, all of which begin with a letter."""

    lines: int
    letter: str

    def wrong(self, answer: Answer) -> str:
        """Return what is wrong with an answer, nothing if it is right."""
        words = []
        for number, line in enumerate(answer.text.strip().splitlines(), 1):
            found = re.fullmatch(rf"{number}\. ([A-Za-z]{{3,20}})", line.strip())
            if not found:
                return f"expected line {number} to be '{number}. ' and a word, found {line.strip()[:60]!r}"
            words.append(found[1].lower())
        if len(words) != self.lines:
            return f"expected {self.lines} lines, found {len(words)}"
        if len(set(words)) != len(words):
            return "expected different words, found one twice"
        if any(len(set(it)) < 3 for it in words):
            return "expected words, found letters"
        others = [it for it in words if not it.startswith(self.letter)]
        return f"expected words that begin with {self.letter}, found {others[0]}" if others else ""
