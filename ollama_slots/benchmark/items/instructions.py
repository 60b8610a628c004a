"""Instructions that are followed to the letter or not: what is right can be told by code."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from ollama_slots.benchmark.items.checks import Exactly, Json, Listed, Number, Sentence
from ollama_slots.benchmark.items.item import Answer, Check, Item, stream
from ollama_slots.benchmark.items.words import COLOURS, NAMES, NOUNS

ONLY = "Answer with that and nothing else."
Made = tuple[str, Check, str]  # a prompt, its check, and an answer that passes


def _exactly(prompt: str, value: str) -> Made:
    return f"{prompt} {ONLY}", Exactly(value), value


def _copy(random: Random) -> Made:
    return _exactly(f"Repeat this word: {(word := random.choice(NOUNS))}.", word)


def _sort_numbers(random: Random) -> Made:
    numbers = random.sample(range(10, 100), random.randint(3, 6))
    given, right = (", ".join(map(str, it)) for it in (numbers, sorted(numbers)))
    return _exactly(
        f"Sort these numbers in ascending order, with a comma and a space between them: {given}.", right
    )


def _sort_words(random: Random) -> Made:
    words = random.sample(NOUNS, random.randint(4, 6))
    given, right = ", ".join(words), ", ".join(sorted(words))
    return _exactly(f"Sort these words alphabetically, with a comma and a space between them: {given}.", right)


def _backwards(random: Random) -> Made:
    words = random.sample(NOUNS, 5)
    given, right = " ".join(words), " ".join(reversed(words))
    return _exactly(
        f"Write these words in reverse order, the last one first, with spaces between them: {given}.", right
    )


def _capitals(random: Random) -> Made:
    words = random.sample(NOUNS, 5)
    at = random.randrange(5)
    right = " ".join(it.upper() if n == at else it for n, it in enumerate(words))
    return _exactly(f"Copy this line, but put the word {words[at]} in capital letters: {' '.join(words)}.", right)


def _every_second(random: Random) -> Made:
    words = random.sample(NOUNS, random.choice([6, 8]))
    right = "\n".join(words[1::2])
    return _exactly(
        f"Of these words, write the second, the fourth and so on, each in a line: {' '.join(words)}.", right
    )


def _initials(random: Random) -> Made:
    words = random.sample(NOUNS, random.randint(4, 6))
    right = "".join(it[0] for it in words)
    return _exactly(
        f"Write the first letters of these words as one word in small letters: {' '.join(words)}.", right
    )


def _replace(random: Random) -> Made:
    one, other, third, new = random.sample(NOUNS, 4)
    line = [one, third, one, other, third, one]
    right = " ".join(new if it == one else it for it in line)
    return _exactly(f"Copy this line with {new} in the place of each {one}: {' '.join(line)}.", right)


def _count(random: Random) -> Made:
    wanted, *others = random.sample(NOUNS, 4)
    words = [wanted] * random.randint(2, 5) + [random.choice(others) for _ in range(6)]
    random.shuffle(words)
    prompt = (
        f"How often does the word {wanted} occur in this line: {' '.join(words)}? Answer with the number alone."
    )
    return prompt, Number(words.count(wanted), alone=True), str(words.count(wanted))


def _json(random: Random) -> Made:
    name, colour, noun, age = (
        random.choice(NAMES),
        random.choice(COLOURS),
        random.choice(NOUNS),
        random.randint(20, 80),
    )
    kept = random.choice([True, False])
    value = json.dumps({"name": name, "age": age, "things": [colour, noun], "active": kept})
    prompt = (
        f"Write a JSON object with four keys: name is {name}, age is the number {age}, things is a list of "
        f"the strings {colour} and {noun} in this order, active is {'true' if kept else 'false'}. {ONLY}"
    )
    return prompt, Json(value), value


def _rows(random: Random) -> Made:
    names = random.sample(NAMES, 4)
    rows = [{"name": it, "colour": random.choice(COLOURS), "count": random.randint(1, 20)} for it in names]
    least = random.randint(5, 12)
    table = "\n".join(["name,colour,count", *(",".join(map(str, it.values())) for it in rows)])
    value = json.dumps([it["name"] for it in rows if int(str(it["count"])) >= least])
    prompt = (
        f"Here is a table:\n\n{table}\n\nWrite a JSON list of the names whose count is at least {least}, "
        f"in the order of the table. {ONLY}"
    )
    return prompt, Json(value), value


def _sentence(random: Random) -> Made:
    noun = random.choice(NOUNS)
    middle = ["the", "old", "man", "with", "a", "hat", "saw", "nothing", "but"][: random.randint(4, 9)]
    words = len(middle) + 2
    prompt = (
        f"Write one sentence of exactly {words} words. Its first word is Yesterday, its last word is {noun}. "
        "Use no comma, and end it with a full stop. Answer with the sentence and nothing else."
    )
    check = Sentence(words, "yesterday", noun)
    return prompt, check, f"Yesterday {' '.join(middle)} {noun}."


def _list(random: Random) -> Made:
    letter = random.choice("bcpst")
    fitting = [it for it in NOUNS if it.startswith(letter)]
    count = random.randint(3, 6)
    prompt = (
        f"Write a numbered list of {count} different English words that all begin with the letter {letter}. "
        "Each line is the number, a full stop, a space and the word. Answer with the list and nothing else."
    )
    right = "\n".join(f"{n}. {it}" for n, it in enumerate(random.sample(fitting, count), 1))
    return prompt, Listed(count, letter), right


KINDS: list[Callable[[Random], Made]] = [
    _copy,
    _sort_numbers,
    _json,
    _sentence,
    _capitals,
    _sort_words,
    _rows,
    _list,
    _backwards,
    _count,
    _initials,
    _every_second,
    _replace,
]


def instructions(seed: int, count: int) -> list[Item]:
    """Return instructions of each kind in turn."""
    items = []
    for n in range(count):
        prompt, check, reference = KINDS[n % len(KINDS)](stream(seed, "instructions", n))
        items.append(Item(f"instructions/{n}", prompt, check, 256, Answer(reference)))
    return items
