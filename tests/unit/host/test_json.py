"""host/json.sh against Python's own reader, under each awk that a host may have."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ollama_slots.host import scripts

AWKS = {"mawk": "mawk", "gawk": "gawk", "busybox": "busybox"}
DOCUMENTS = 2000
PIECES = [
    *(
        "a",
        "name",
        "digest",
        "0",
        "",
        " ",
        "/",
        "~",
        "~1",
        "\t",
        "\n",
        "\r",
        "\b",
        "\f",
        "\x01",
        "\x1b",
        "\x7f",
        "\0",
    ),
    *(
        '"',
        "\\",
        "\\n",
        "\\u0041",
        "&",
        "\\&",
        "é",
        "模",
        "ぁ",
        "\U0001f600",
        "\u2028",
        "\ud800",
        "\udc00x",
        "{",
        "]",
    ),
    *(",", ":", "<b>", "'", "$(id)", "`", "%s", "=", "models/0/digest"),
]


@pytest.fixture(params=AWKS)
def awk(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH on which awk is this one."""
    program = shutil.which(AWKS[request.param])
    if program is None:
        pytest.skip(f"{request.param} is not there")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "awk").symlink_to(program)
    return f"{tmp_path}/bin:{os.environ['PATH']}"


def sh(awk: str, command: str, text: str | bytes, *arguments: str) -> tuple[int, str]:
    """The exit status of a command after json.sh with this on its stdin, and what it prints."""
    done = subprocess.run(
        ["sh", "-c", f"{scripts.source('json')}\n{command}", "sh", *arguments],
        input=text if isinstance(text, bytes) else text.encode(errors="surrogatepass"),
        capture_output=True,
        env={**os.environ, "PATH": awk},
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


def one_line(text: str) -> str:
    """A text as a leaf has it."""
    text = re.sub("[\ud800-\udfff]", "\ufffd", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    named = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(named.get(it, f"\\u{ord(it):04x}" if it < " " else it) for it in text)


class Literal(str):
    """A number or word as it is written."""

    __slots__ = ()


def leaves(value: Any, path: str = "", top: bool = True) -> list[str]:
    """What is to be printed of a value."""
    if isinstance(value, dict | list):
        items = list(enumerate(value)) if isinstance(value, list) else list(value.items())
        keys = [one_line(str(key)).replace("~", "~0").replace("/", "~1") for key, _ in items]
        places = keys if top else [f"{path}/{key}" for key in keys]
        return [it for place, (_, inner) in zip(places, items, strict=True) for it in leaves(inner, place, False)]
    text = (
        value if isinstance(value, Literal) else one_line(value) if isinstance(value, str) else json.dumps(value)
    )
    return [f"{path}\t{text}"]


def no_constant(word: str) -> None:
    """Refuses NaN and Infinity, which are not JSON."""
    raise ValueError(word)


def expected(text: str) -> list[str]:
    return leaves(json.loads(text, parse_int=Literal, parse_float=Literal, parse_constant=no_constant))


def some_text(chance: random.Random) -> str:
    return "".join(chance.choices(PIECES, k=chance.randrange(4)))


def document(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(5, 9) if depth == 0 else chance.randrange(9 if depth < 4 else 6)
    if kind < 2:
        return some_text(chance)
    if kind < 4:
        return chance.choice([0, -1, 10**20, 0.5, -1e-7, 1e300, 98, 1234567890123])
    if kind < 6:
        return chance.choice([True, False, None])
    if kind == 6:
        return [document(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {some_text(chance): document(chance, depth + 1) for _ in range(chance.randrange(5))}


def spelled(value: Any, chance: random.Random) -> str:
    """With blanks, and escapes, in one of the ways that there are."""
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 0, 3, "\t"]))
    text = text.replace("\x7f", chance.choice(["\\u007F", "\x7f"]))
    if chance.random() < 0.3:
        text = text.replace("<", "\\u003C").replace("/", "\\/")
    return text.encode(errors="surrogatepass").decode(errors="replace") if "\\ud" not in text else text


def test_it_agrees_with_pythons_reader(awk: str) -> None:
    chance = random.Random(7)
    texts = [spelled(document(chance), chance) for _ in range(DOCUMENTS)]
    damaged = [damage(it, chance) for it in texts]
    both = [it for pair in zip(texts, damaged, strict=True) for it in pair]
    _, printed = sh(awk, "read_json", "\n\x01\n".join(both))
    parts = split(printed, len(both))
    good = 0
    for text, part in zip(both, parts, strict=True):
        try:
            wanted = expected(text)
            good += 1
        except ValueError:
            wanted = []
        assert part == wanted, text
    assert DOCUMENTS <= good < 2 * DOCUMENTS


def split(printed: str, count: int) -> list[list[str]]:
    """The lines of each document: an empty line is between two."""
    parts: list[list[str]] = [[]]
    for line in printed.removesuffix("\n").split("\n"):
        if line:
            parts[-1].append(line)
        else:
            parts.append([])
    assert len(parts) == count
    return parts


def damage(text: str, chance: random.Random) -> str:
    """With a character left out, put in, or in the place of another."""
    at = chance.randrange(len(text))
    put = chance.choice(["", "", '"', "{", "}", "[", "]", ",", ":", "\\", "0", "x", "true", "-"])
    return text[:at] + put + text[at + chance.randrange(2) :]


NO_JSON = [
    *("", " ", "\n", "nonsense", "curl: (7) Failed to connect", "<html><body>502 Bad Gateway</body></html>"),
    *(
        '{"a":1',
        '{"a":1}}',
        '{"a":1}{"a":1}',
        '{"a":1},',
        "[1,]",
        "{,}",
        '{"a"}',
        '{"a":}',
        '{"a":1 "b":2}',
        "[1 2]",
    ),
    *(
        '"a',
        '"a\nb"',
        '"a\tb"',
        '"\\x"',
        '"\\',
        '"\\u12"',
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        "True",
        "nul",
        "truefalse",
    ),
    *(
        "{1:2}",
        '{"a":1]',
        "[1}",
        "[",
        "]",
        '{"a":1}\nHTTP 500',
        '""""',
        "'a'",
        '{"a"::1}',
        '{"a":1,,"b":2}',
        ":",
        ",",
    ),
    *('{"a":[}', '{"a":1,}', "[{]}", '"a" "b"', '{"a" 1}'),
]


@pytest.mark.parametrize("text", NO_JSON)
def test_what_is_no_json_has_no_leaf_and_fails(awk: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(text)
    code, printed = sh(awk, "read_json", text)
    assert (bool(code), printed) == (True, "")


@pytest.mark.parametrize("text", ["{}", "[]", '{"a":[]}', "[{},[[]]]", " {\n}\r\n"])
def test_what_is_empty_has_no_leaf_and_is_json(awk: str, text: str) -> None:
    assert sh(awk, "read_json", text) == (0, "")


def test_no_key_looks_like_another_path(awk: str) -> None:
    text = '{"models/0/digest":"a","models":{"0/digest":"b","0\\tdigest":"c","~1":"d"},"":{"models":"e"}}'
    assert sh(awk, "read_json", text)[1].splitlines() == [
        "models~10~1digest\ta",
        "models/0~1digest\tb",
        "models/0\\tdigest\tc",
        "models/~01\td",
        "/models\te",
    ]
    assert sh(awk, "value_of models/0/digest", text) == (1, "")


def test_a_value_is_the_last_of_its_key_as_with_the_engine(awk: str) -> None:
    assert sh(awk, "value_of a", '{"a":1,"b":"x","a" : "two"}') == (0, "two\n")
    assert sh(awk, "value_of c", '{"a":1}') == (1, "")
    assert sh(awk, "value_of a", '{"a":1') == (1, "")


MODELS = {
    "models": [
        {
            "name": "One:latest",
            "size": 98,
            "details": {"parent_model": "x:1b", "name": "no", "n": {}},
            "digest": "AA",
        },
        {"digest": "bb", "name": "on:latest", "x": [{"name": "one:latest", "digest": "cc"}]},
        {},
        {"name": "one:latest", "digest": "dd"},
    ]
}


def test_rows_are_the_objects_of_a_list(awk: str) -> None:
    for text in (json.dumps(MODELS), json.dumps(MODELS, indent=2), json.dumps(MODELS, separators=(",", ":"))):
        assert sh(awk, "rows models name size", text)[1] == "One:latest\t98\non:latest\t-\n-\t-\none:latest\t-\n"
        assert sh(awk, 'rows models "name=$1" digest', text, "ONE:latest")[1].split() == ["AA", "dd"]
        assert sh(awk, 'rows models "name=$1" digest=DD size', text, "ONE:latest")[1].split() == ["-"]
        assert sh(awk, "rows models details/parent_model name=one:latest digest=aa", text)[1].split() == ["x:1b"]
        assert sh(awk, 'rows models "name=$1" digest', text, "o.e:latest")[1] == ""
    for text in ('{"models":[]}', '{"models":null}', "", "curl: (7) Failed to connect"):
        assert sh(awk, "rows models name", text)[1] == ""


def test_a_text_is_plain_on_one_line(awk: str) -> None:
    text = json.dumps({"error": 'a "b" <c>\n\n\tC:\\new\x1b[0m\n'}).replace("<", "\\u003c")
    assert sh(awk, "value_of error | plain", text)[1] == 'a "b" <c>;  C:\\new\\u001b[0m\n'


def test_of_a_page_its_title_is_shown(awk: str) -> None:
    page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<hr>nginx</body>\r\n</html>\r\n"
    for before, text in (("pull model manifest: 502: ", page), ("", f"<!DOCTYPE html>{page}")):
        for spelled in (text, text.upper()):
            shown = sh(awk, "value_of error | plain", json.dumps({"error": before + spelled}))[1]
            assert shown == f"{before}{'502 Bad Gateway' if spelled == text else '502 BAD GATEWAY'}\n"


def test_of_a_page_without_a_title_all_of_its_text_is_shown(awk: str) -> None:
    page = "500: <html>\r\n<body>\r\n<h1>No  <b>way</b></h1>\r\n</body>\r\n</html>\r\n"
    assert sh(awk, "value_of error | plain", json.dumps({"error": page}))[1] == "500: No way\n"


def test_what_is_like_a_tag_is_no_page(awk: str) -> None:
    said = "invalid character '<' looking for <headers> and <h1x>"
    assert sh(awk, "value_of error | plain", json.dumps({"error": said}))[1] == f"{said}\n"


def test_a_long_document_is_read_whole(awk: str) -> None:
    tokens = json.dumps({"model_info": {"tokens": [f'tok{it}"é' for it in range(10_000)]}})
    code, printed = sh(awk, "read_json", tokens)
    assert (code, len(printed.splitlines())) == (0, 10_000)
