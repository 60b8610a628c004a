"""The real server takes for a model's name what this tool takes for one, and the other way round."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from ollama_slots.core import names
from tests.lab.client import tunnel
from tests.lab.fleet import SLOTS, Host

# A name with one part that is to be tried, and the others as they should be.
PLACES = ("{}/n/x:t", "h:5000/{}/x", "{}", "x:{}")
CHARACTERS = "aZ0_-.:/@+~*$%\\'\" \t\n\0\u00a0é模\u0667\ud800"
PARTS = [
    *(f"{it}b" for it in CHARACTERS),
    *(f"b{it}c" for it in CHARACTERS),
    *("", "b-", "b.", "b_", "..", "b..c", "latest", "Library"),
    *("b" * length for length in (1, 79, 80, 81, 350, 351)),
]
OTHERS = [
    *("b::c", "b:c:d", "b@c", "b:c@d", "@sha256", ":", "/", "//", "///", ":/", "/:", "b//c", "b/c//d", "//b/c"),
    *("b/c/d/e", "b:5000/c", "b:5000/c/d", "b:5000/c/d:e", "b/c:5000/d", " b", "b ", "b:c ", "b/ c", "b\n"),
    *(f"b@sha256:{'0' * 64}", f"b:c@sha256:{'0' * 64}", f"h/n/b@sha256-{'0' * 64}", "https://b", "https://b/c"),
    *("registry.ollama.ai/library/b", "REGISTRY.ollama.ai/Library/B:Latest", "library/b", "b:LATEST", "-", "_"),
    *("h/n/b:", "h/n/:t", "none"),
]
NAMES = list(dict.fromkeys([*(place.format(part) for place in PLACES for part in PARTS), *OTHERS]))

# To the engine these are names. It leaves the scheme out, has :local mean :latest, and runs the others elsewhere.
REFUSED = [
    *("https://h/n/b", "http://h/n/b:t", "://h/n/b", "https:///n/b", "a b://h:5000/n/b"),
    *("b:local", "n/b:Local", "h/n/b:LOCAL", "b:cloud", "b:7b-cloud", "n/b:7B-Cloud"),
]


class Engine:
    """The real server, asked in ways that change nothing."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()

    def takes(self, name: str) -> bool:
        """Whether it is a name: to copy what is not there is another error than to copy what cannot be."""
        there = {"source": name, "destination": f"{SLOTS[0]}:no-such-tag"}
        answer = self.session.post(f"{self.url}/api/copy", json=there, timeout=10)
        if answer.status_code == 400:
            assert re.fullmatch(r"source .* is invalid", answer.json()["error"])
            return False
        assert re.search("not found$|file name too long$", answer.json()["error"])
        return True

    def short(self, name: str) -> str:
        """The name as the engine shows it; its directory may be too long to be looked up."""
        answer = self.session.post(f"{self.url}/api/show", json={"model": name}, timeout=10)
        found = re.fullmatch("model '(.*)' not found", answer.json()["error"])
        return found[1] if found else ""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with tunnel(Host("gpu1")) as url:
        yield Engine(url)


def taken(name: str) -> bool:
    try:
        names.parse(name)
    except ValueError:
        return False
    return True


def test_of_300_names_exactly_those_are_taken_that_the_engine_takes(
    engine: Engine, gpu1: Host, figures: list[str]
) -> None:
    assert len(NAMES) == 300
    before = gpu1.made()
    theirs = {name for name in NAMES if engine.takes(name)}
    assert {name for name in NAMES if taken(name)} == theirs
    assert gpu1.made() == before
    figures.append(f"of {len(NAMES)} names the engine and this tool take the same {len(theirs)}")


def test_a_name_means_what_it_means_to_the_engine(engine: Engine) -> None:
    """But for the case, which a name that is there gives to others."""
    shown = {name: engine.short(name) for name in NAMES if taken(name) and len(name) < 255}
    assert {name: it.lower() for name, it in shown.items()} == {
        name: names.parse(name).short.lower() for name in shown
    }


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_engine_takes_for_something_else_is_refused(engine: Engine, name: str) -> None:
    assert engine.takes(name)
    assert not taken(name)
