"""What nobody means well with: as text, as values, as a selection file, and as a host's data."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from ollama_slots.core.settings import Settings

PIECES = [
    *("$(touch X)", "`touch X`", "; touch X #", "&& touch X", "| touch X", "\ntouch X\n", "> X", "< /dev/null"),
    *("'", '"', "'\"'\"'", '"""', '"""\nFROM evil\n', "\\", "\\'", "\\n", "$", "$HOME", "${IFS}", "$1", "!!"),
    *("-rf", "--", "-", "=", "*", "?", "[a-z]", "~", "%", "%n", "%i", "{{ 7 * 7 }}", "{% raw %}", "EOF"),
    *("\n", "\r\n", "\t", " ", "\0", "\x1b[2J", "\x7f", "\u0085", "\u2028", "\u202e", "\ufeff", "\ud800"),
    *("é", "模", "\U0001f600", "\u00a0", "../", "/", ":", "@sha256:", "https://", "a", "b:1b", "none"),
    *("x" * 80, "x" * 351),
]

Values = st.SearchStrategy[Any]


def _mostly(usual: Values, odd: Values) -> Values:
    return st.integers(0, 5).flatmap(lambda it: odd if it == 5 else usual)


_LONG = st.builds(lambda piece, times: (piece * times)[:4000], st.sampled_from(PIECES), st.integers(2, 4000))
TEXT = _mostly(st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=5).map("".join), _LONG)


def _values(scalars: Values) -> Values:
    return st.recursive(
        scalars | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=4,
    )


JSON = _values(st.none() | st.booleans() | st.integers() | st.floats())

# A selection file: its members one by one, for a key may stand twice, and a value need not be JSON.
CHOSEN = {"slot1_coding": "a", "slot2_general": "b", "slot3_backup": "c"}
_MODELS = _mostly(st.sampled_from(["a", "b:1b", "hub:5000/me/x", "_." + "x" * 78]), TEXT)
_METRICS = _mostly(st.sampled_from(["coding_composite", "general_composite", "tokens_per_sec"]), TEXT)
_RESULTS = st.dictionaries(
    _MODELS, st.dictionaries(_METRICS, _mostly(st.floats(0, 1), JSON), max_size=4), max_size=3
)
_NO_JSON = ["NaN", "-Infinity", "1e999", "9" * 5000, "01", "'a'", "tru", "", '"\\ud800"', '"\n"', "{,}", "{}}"]
_DEPTHS = st.integers(1, 2500)  # the reader of JSON gives up somewhere between
_DEEP = _DEPTHS.map(lambda depth: "[" * depth + "]" * depth) | st.just('{"a":' * 10**5)
_SPELLED = _mostly(JSON.map(json.dumps), st.sampled_from(_NO_JSON) | _DEEP)
_MEMBERS = (
    st.tuples(st.sampled_from([*CHOSEN, "slot4_experimental"]), _MODELS.map(json.dumps))
    | st.tuples(st.sampled_from(["results", "all_metrics"]), _RESULTS.map(json.dumps))
    | st.tuples(_mostly(TEXT, st.sampled_from([*CHOSEN, "results"]) | TEXT.map("slot".__add__)), _SPELLED)
)


def _file(members: Iterable[tuple[str, str]], whole: bool) -> bytes:
    members = [*((key, json.dumps(it)) for key, it in CHOSEN.items() if whole), *members]
    text = ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {value}" for key, value in members)
    return f"{{{text}}}".encode(errors="surrogatepass")


def _damaged(content: bytes, start: bytes, cut: int, rest: bytes) -> bytes:
    return start + content[: cut or None] + rest


_STARTS = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b" \n", b"[", b"{}"])
_WHOLE = st.builds(_file, st.lists(_MEMBERS, max_size=4), _mostly(st.just(True), st.just(False)))
FILES = _mostly(
    _WHOLE, st.builds(_damaged, _WHOLE | st.binary(), _STARTS, st.integers(-9, 9), st.binary(max_size=3))
)

# A host's data: any key with any value, or what would be taken with something about it; a text is what --data is
# given.
_OF_A_SLOT = ["name", "model", "num_ctx", "system", "parameters", "modelfile", "number", "tagged", "x"]
_OURS = [*(f"slot{number}_{it}" for number in (1, 2) for it in _OF_A_SLOT), *Settings.model_fields]
_PYTHON = _values(st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3))
_LARGE = st.sampled_from(["9" * 400, "-" + "9" * 4300, "1e308", "[" + "9" * 4300 + "]", '{"p": 1e308}'])
_ANY = st.dictionaries(
    _mostly(st.sampled_from(_OURS), TEXT | TEXT.map("slot1_".__add__)),
    _PYTHON | _LARGE | _DEEP | _SPELLED,
    max_size=3,
)
_TAKEN = {
    "slot1_name": "a",
    "slot1_model": "mistral:7b",
    "slot1_system": "You are kind",
    "slot1_modelfile": "templates/Modelfile.j2",
    "keep_alive": "24h",
    "ollama_url": "http://127.0.0.1:11434",
    "shared_base": "align",
    "rollback": "all",
}
_ABOUT = st.just("") | st.sampled_from(PIECES) | TEXT
_NEARLY = st.builds(
    lambda key, before, after: {key: before + _TAKEN[key] + after}, st.sampled_from(list(_TAKEN)), _ABOUT, _ABOUT
)
_PARAMETERS = st.dictionaries(_mostly(st.sampled_from(["p", "q_r", "num_ctx"]), TEXT), TEXT | _PYTHON, max_size=2)
DATA = _ANY | _NEARLY | st.builds(lambda parameters: {"slot1_parameters": parameters}, _PARAMETERS)


def said(value: Any) -> Any:
    """A text as pyinfra reads it from the command line, if it is one."""
    for read in (int, json.loads) if isinstance(value, str) else ():
        with suppress(ValueError, RecursionError):
            return read(value)
    return value
