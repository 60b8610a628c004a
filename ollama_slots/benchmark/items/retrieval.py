"""Find one thing in a text: among three, and at a quarter and three quarters of a slot's window."""

from __future__ import annotations

from random import Random

from ollama_slots.benchmark.items import extract
from ollama_slots.benchmark.items.checks import Name, Number
from ollama_slots.benchmark.items.item import Answer, Item, stream
from ollama_slots.benchmark.items.words import COLOURS, NAMES, NOUNS

# A token of these texts has 4.2 to 5, by SmolLM2's and Gemma 3's vocabularies: none takes more than its share.
CHARACTERS = 4.0
LEAST = 1024  # tokens of a window in which texts of these shares can be told apart
SHARES = (0.25, 0.75)
OTHERS = 8  # numbers that are not asked for


def retrieval(seed: int, count: int, window: int) -> list[Item]:
    """Return texts with a question: every third is short, others fill a quarter and three quarters of the window.

    What is asked for stands at a quarter or at three quarters of the text.
    """
    if window < LEAST:
        raise ValueError(f"expected a window of at least {LEAST} tokens, found {window}")
    items = []
    for n in range(count):
        random = stream(seed, "retrieval", n)
        share, depth = SHARES[n % 3 - 1], SHARES[n // 3 % 2]
        items.append(_short(n, random) if n % 3 == 0 else _long(n, random, int(window * share), depth))
    return items


def _short(n: int, random: Random) -> Item:
    names, nouns, colours = random.sample(NAMES, 3), random.sample(NOUNS, 3), random.sample(COLOURS, 3)
    facts = [f"{name} has a {colour} {noun}." for name, colour, noun in zip(names, colours, nouns, strict=True)]
    at = random.randrange(3)
    prompt = f"{' '.join(facts)} Who has the {nouns[at]}? Answer with the name and nothing else."
    return Item(f"retrieval/{n}", prompt, Name(names[at], alone=True), 32, Answer(names[at]))


def _long(n: int, random: Random, tokens: int, depth: float) -> Item:
    things = random.sample([f"{colour} {noun}" for colour in COLOURS for noun in NOUNS], OTHERS + 1)
    numbers = random.sample(range(10000, 100000), OTHERS + 1)
    needles = [f"The number of the {it} is {number}." for it, number in zip(things, numbers, strict=True)]
    question = f"What is the number of the {things[0]}? {extract.ASKED_FOR.format('number')}"
    begin = "Read this text, then answer the question behind it."
    room = int(tokens * CHARACTERS) - len(question) - len(begin) - sum(len(it) + 1 for it in needles)
    sentences: list[str] = []
    while room > 0:
        sentences.append(sentence(random))
        room -= len(sentences[-1]) + 1
    for other in needles[1:]:
        sentences.insert(random.randint(0, len(sentences)), other)
    sentences.insert(int(len(sentences) * depth), needles[0])
    prompt = f"{begin}\n\n{' '.join(sentences)}\n\n{question}"
    return Item(f"retrieval/{n}", prompt, Number(numbers[0]), 128, Answer(f"{extract.LINE} {numbers[0]}"))


def sentence(random: Random) -> str:
    """Return a sentence of a text in which something is to be found."""
    one, other = random.choice(NOUNS), random.choice(NOUNS)
    colour, name = random.choice(COLOURS), random.choice(NAMES)
    return random.choice(
        [
            f"The {colour} {one} stands beside the {other}.",
            f"{name} carried the {one} to the {other} and came home late.",
            f"Nobody knew why the {one} was {colour} that morning.",
            f"Behind the {other} there was a {colour} {one} and nothing else.",
            f"{name} painted the {one} {colour} before the rain began.",
        ]
    )
