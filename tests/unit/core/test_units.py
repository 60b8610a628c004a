"""Which unit is an Ollama's, what is named after it, and that no two names of an inventory are the same Ollama."""

from typing import Any

import pytest

from ollama_slots.core import units
from tests.unit.core.test_settings import of, refused

TAKEN = [
    "ollama",
    "ollama-gpu1",
    "ollama_gpu1",
    "Ollama2",
    "llm-a",
    "ollama@1",
    "ollama@gpu-1",
    "ollama-1",
    "a" * 64,
]


@pytest.mark.parametrize("name", TAKEN)
def test_a_unit_is_taken_with_and_without_its_suffix(name: str) -> None:
    assert of(ollama_unit=name).ollama_unit == of(ollama_unit=f"{name}.service").ollama_unit == f"{name}.service"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".service", "ollama.socket", "ollama.service.d", "ollama@", "ollama@.service", "@1", "a" * 65),
        *(
            "ollama--1",
            "-ollama",
            "ollama-",
            "../ollama",
            "a/b",
            "a b",
            "a\n",
            "a;b",
            "$(a)",
            "%i",
            "a@b@c",
            "öllama",
        ),
        *("ollama-warmup", "ollama-warmup.service", "ollama-gpu1-warmup", "ollama@1-warmup"),
    ],
)
def test_what_is_no_unit_of_an_ollama_is_refused(name: str) -> None:
    assert refused(ollama_unit=name).startswith("ollama_unit: expected ")


@pytest.mark.parametrize("given", [None, 1, True, ["ollama"]])
def test_what_is_no_text_is_no_unit(given: Any) -> None:
    assert refused(ollama_unit=given).startswith("ollama_unit: Input should be a valid string, found ")


def test_what_is_ours_of_two_never_has_one_name() -> None:
    names = [units.whole(it) for it in TAKEN]
    assert len({units.stem(it) for it in names}) == len({units.warm_up(it) for it in names}) == len(TAKEN)
    assert not {units.warm_up(it) for it in names} & set(names)
    # Else it would have the drop-ins of the owner's template, too.
    assert "@" not in units.warm_up("ollama@1.service")


A = {"ssh_hostname": "gpu-a.example.com"}
OTHER = {"ollama_unit": "ollama-gpu1"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (A, A, True),
        (A, A | OTHER, False),
        (A | OTHER, A | {"ollama_unit": "ollama-gpu1.service"}, True),
        (A, A | {"ollama_unit": "ollama"}, True),
        (A, {"ssh_hostname": "GPU-A.example.com."}, True),
        (A, {"ssh_hostname": "gpu-b.example.com"}, False),
        (A, A | {"ssh_port": 2222}, False),
        (A | {"ssh_port": 22}, A, True),
        (A | {"ssh_config_file": "site1.conf"}, A | {"ssh_config_file": "site2.conf"}, False),
        (A | {"ssh_config_file": "site1.conf"}, A | {"ssh_config_file": "site1.conf"}, True),
        (A | {"ssh_config_file": "~/.ssh/config"}, A, True),
        (A | {"ssh_user": "me"}, A | {"ssh_user": "you"}, True),
        ({}, {"ssh_hostname": "one"}, True),
        ({}, {}, False),
        (A, A | {"ollama_unit": "a b"}, False),
    ],
)
def test_two_names_of_one_machine_are_two_ollamas(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    for prefix in ("", "@ssh/"):
        wrong = units.twice([(f"{prefix}one", one), ("other", other)])
        assert (wrong is not None) is same
        if wrong:
            assert wrong.startswith("other: expected an Ollama of its own, found ollama")
            assert f", which is {prefix}one's already: give one of them the ollama_unit of another Ollama" in wrong
