"""What the owner's files come to, over the ways in which people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core import meaning
from ollama_slots.core.observed import Line, Observed
from ollama_slots.core.owner import conflicts

UNIT = "/etc/systemd/system/ollama.service"
OVERRIDE, LATER = f"{UNIT}.d/override.conf", f"{UNIT}.d/zzz.conf"
OURS, FILE = f"{UNIT}.d/zz-ollama-slots.conf", "/etc/ollama/ollama-slots.env"
DEFAULTS, SCRIPT, MORE = "/etc/default/ollama", "/opt/start ollama.sh", "/opt/more.sh"
START = "/opt/start.sh"
DECLARED = {"OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_MAX_LOADED_MODELS": "5"}
KEEP = "OLLAMA_KEEP_ALIVE"


def judged(
    files: dict[str, str], shown: tuple[str, ...] = (), fragment: str = "ExecStart=/usr/bin/ollama serve"
) -> list[str]:
    """What stands in the way of what is declared: FILE:LINE and what it sets."""
    files = {UNIT: f"[Service]\n{fragment}"} | files
    lines = tuple(
        Line(path, number, text)
        for path, whole in files.items()
        for number, text in enumerate(whole.split("\n"), 1)
    )
    found = Observed(settings=lines, units={"ollama.service": {"FragmentPath": UNIT}})
    told = conflicts(DECLARED, shown, found, OURS, FILE)
    return [f"{it.where} {it.name}={it.value}" for it in told]


HOLDS = {
    "nothing of the owner's": {},
    "systemctl edit": {OVERRIDE: "[Service]\nEnvironment=OLLAMA_KEEP_ALIVE=24h OLLAMA_MAX_LOADED_MODELS=2"},
    "an Environment= that is read later": {LATER: '[Service]\nEnvironment="OLLAMA_KEEP_ALIVE=24h"'},
    "a file that is read earlier": {
        OVERRIDE: f"[Service]\nEnvironmentFile={DEFAULTS}",
        DEFAULTS: "OLLAMA_KEEP_ALIVE=24h",
    },
    "of equal meaning": {LATER: f"[Service]\nEnvironmentFile={DEFAULTS}", DEFAULTS: 'OLLAMA_KEEP_ALIVE="-1m"'},
    "a comment": {
        LATER: f"[Service]\n#EnvironmentFile={DEFAULTS}\n;UnsetEnvironment={KEEP}",
        DEFAULTS: f"{KEEP}=24h",
    },
    "comments in a file": {
        LATER: f"[Service]\nEnvironmentFile={DEFAULTS}",
        DEFAULTS: f" # {KEEP}=24h\n;{KEEP}=24h\nexport {KEEP}=24h",
    },
    "a file that nothing names": {DEFAULTS: f"{KEEP}=24h"},
    "a file that is emptied away": {
        LATER: f"[Service]\nEnvironmentFile={DEFAULTS}",
        f"{UNIT}.d/zzzz.conf": f"[Service]\nEnvironmentFile=\nEnvironmentFile={FILE}",
        DEFAULTS: f"{KEEP}=24h",
    },
    "another section": {LATER: f"[Unit]\nUnsetEnvironment={KEEP}\n[Install]\nEnvironmentFile="},
    "an UnsetEnvironment= of another value": {LATER: f"[Service]\nUnsetEnvironment={KEEP}=24h FOO"},
    "an UnsetEnvironment= that is taken back": {LATER: f"[Service]\nUnsetEnvironment={KEEP}\nUnsetEnvironment="},
    "masked by a file of the same name in /etc": {
        "/run/systemd/system/ollama.service.d/zzz.conf": "[Service]\nEnvironmentFile=",
        LATER: "[Service]\nNice=1",
    },
    "emptied, and set alike": {
        LATER: f"[Service]\nEnvironmentFile=\nEnvironment={KEEP}=-1s 'OLLAMA_MAX_LOADED_MODELS=05'",
    },
}


@pytest.mark.parametrize("what", HOLDS)
def test_what_is_declared_holds(what: str) -> None:
    assert judged(HOLDS[what]) == []


NOT = {
    "a file that is read later": (
        {LATER: f"[Service]\nEnvironmentFile = -{DEFAULTS}", DEFAULTS: "\n  OLLAMA_KEEP_ALIVE = '24h' "},
        f"{DEFAULTS}:2 {KEEP}=24h",
    ),
    "one of several files": (
        {
            LATER: "[Service]\nEnvironmentFile=-/etc/default/oll*",
            DEFAULTS: f"{KEEP}=24h",
            "/etc/default/ollama2": f"FOO=a \\\n  b\n{KEEP}=2h",
        },
        f"/etc/default/ollama2:3 {KEEP}=2h",
    ),
    "a specifier": (
        {LATER: "[Service]\nEnvironmentFile=%E/default/%N", DEFAULTS: f"{KEEP}=24h"},
        f"{DEFAULTS}:1 {KEEP}=24h",
    ),
    "in /run": (
        {
            "/run/systemd/system/ollama.service.d/zzz.conf": f"[Service]\nEnvironmentFile={DEFAULTS}",
            DEFAULTS: f"{KEEP}=",
        },
        f"{DEFAULTS}:1 {KEEP}=",
    ),
    "of every service": (
        {"/usr/lib/systemd/system/service.d/zzz.conf": f"[Service]\nUnsetEnvironment={KEEP}"},
        f"/usr/lib/systemd/system/service.d/zzz.conf:2 {KEEP}=None",
    ),
    "unset": ({OVERRIDE: f"[Service]\nUnsetEnvironment=FOO \\\n# why\n  '{KEEP}'"}, f"{OVERRIDE}:2 {KEEP}=None"),
    "unset as it is": ({OVERRIDE: f"[Service]\nUnsetEnvironment={KEEP}=-1"}, f"{OVERRIDE}:2 {KEEP}=None"),
}


@pytest.mark.parametrize("what", NOT)
def test_what_stands_in_the_way_is_named(what: str) -> None:
    files, line = NOT[what]
    assert judged(files) == [line]
    assert judged(files, shown=tuple(DECLARED)) == [line], (
        "it will be so after the next start, whatever the process has"
    )


def test_what_empties_the_list_of_files_is_named_for_each_variable() -> None:
    files = {LATER: "[Service]\nEnvironmentFile=", OVERRIDE: f"[Service]\nEnvironment={KEEP}=24h"}
    assert judged(files) == [f"{LATER}:2 {KEEP}=24h", f"{LATER}:2 OLLAMA_MAX_LOADED_MODELS=None"]


STARTS = {
    f"/usr/bin/env {KEEP}=24h /usr/bin/ollama serve": "24h",
    f"env -u FOO {KEEP}=24h ollama serve": "24h",
    f"env -u {KEEP} ollama serve": None,
    f"-/bin/sh -c '{KEEP}=24h exec ollama serve'": "24h",
    f"+env {KEEP}=24h ollama serve": "24h",
    f"@/usr/bin/env ollama-env {KEEP}=24h ollama serve": "24h",
    f"@/usr/bin/env 'my ollama' {KEEP}=24h ollama serve": "24h",
    f'/bin/bash -lc "export FOO=1 {KEEP}=24h; exec ollama serve"': "24h",
    f"/bin/sh -c 'unset FOO {KEEP} && exec ollama serve'": None,
    f"/bin/sh -c 'cd /; {KEEP}=$(cat /etc/keep) ollama serve'": "$",
    f"/bin/sh -c 'export {KEEP}=$${{OTHER:-24h}}; ollama serve'": "${OTHER:-24h}",
    f"/bin/sh -c 'export {KEEP}=$${{{KEEP}:+24h}}; ollama serve'": "24h",
}
KEPT = [
    f"/bin/sh -c 'export {KEEP}=$${{{KEEP}:-24h}}; exec ollama serve'",
    f"/bin/sh -c ': \"$${{{KEEP}:=24h}}\"; exec ollama serve'",
    f"/bin/sh -c '[ -n \"$${KEEP}\" ] || export {KEEP}=24h; exec ollama serve'",
    f"/bin/sh -c 'echo {KEEP}=24h; exec ollama serve'",
    f"/bin/sh -c 'exec ollama serve # {KEEP}=24h'",
    f"/bin/sh -c '{KEEP}=-1m exec ollama serve'",
    f"/bin/sh -c '{KEEP}=24h; {KEEP}=-1; exec ollama serve'",
    f"env {KEEP}=${{{KEEP}}} ollama serve",
    f"ollama serve --note {KEEP}=24h",
    f"/bin/sh -c 'exec ollama serve >>{MORE}'",
    f"-@/usr/bin/ollama {MORE} serve",
]


@pytest.mark.parametrize("start", STARTS)
def test_a_command_that_sets_it_is_named(start: str) -> None:
    files = {OVERRIDE: f"[Service]\nExecStart=\nExecStart={start}"}
    assert judged(files) == [f"{OVERRIDE}:3 {KEEP}={STARTS[start]}"]
    assert judged(files, shown=tuple(DECLARED)) == [], "the process shows that it does not"


@pytest.mark.parametrize("start", KEPT)
def test_a_command_that_leaves_it_is_not(start: str) -> None:
    assert judged({OVERRIDE: f"[Service]\nExecStart=\nExecStart={start}", MORE: f"{KEEP}=24h"}) == []


def test_env_that_begins_with_nothing_takes_all_away() -> None:
    assert judged({}, fragment="ExecStart=env -i HOME=/ ollama serve") == [
        f"{UNIT}:2 {it}=None" for it in DECLARED
    ]


SCRIPTS = {
    "export": (f"#!/bin/sh\nexport {KEEP}=24h\nexec ollama serve", [f"{START}:2 {KEEP}=24h"]),
    "an indented one": (f"#!/bin/sh\n\n\tFOO=1 {KEEP}='24h'", [f"{START}:3 {KEEP}=24h"]),
    "a commented one": (f"#!/bin/sh\n # export {KEEP}=24h", []),
    "the last counts": (f"{KEEP}=24h\n{KEEP}=12h", [f"{START}:2 {KEEP}=12h"]),
    "a default": (f"export {KEEP}=${{{KEEP}:-24h}}", []),
    "a default by test": (f'if [ -z "${KEEP}" ]; then\n  export {KEEP}=24h\nfi', []),
    "another's test": (f'if [ -z "$FOO" ]; then\n  export {KEEP}=24h\nfi', [f"{START}:2 {KEEP}=24h"]),
    "long": (f"exec env \\\n  {KEEP}=24h \\\n  ollama serve", [f"{START}:1 {KEEP}=24h"]),
    "unset": (f"unset {KEEP}", [f"{START}:1 {KEEP}=None"]),
    "a quote over lines": (f"echo 'a\nb'\nexport {KEEP}=24h", [f"{START}:3 {KEEP}=24h"]),
    "read in": (f"set -a\n. {MORE}\nset +a", [f"{MORE}:2 {KEEP}=2h"]),
    "run": (f"source '{MORE}' && exec ollama serve", [f"{MORE}:2 {KEEP}=2h"]),
    "itself again": (f". {START}", []),
}


@pytest.mark.parametrize(
    "command",
    [
        START,
        f"/bin/sh -e {START}",
        f"/bin/sh -c 'exec {START}'",
        f"nice {START} x",
        *(f"{prefix}{START}" for prefix in ("-", ":", "+", "!", "!!", "-+")),
        f"@{START} ollama",
        f"-@{START} {MORE}",
    ],
)
@pytest.mark.parametrize("what", SCRIPTS)
def test_a_start_script_is_read(what: str, command: str) -> None:
    text, lines = SCRIPTS[what]
    files = {START: text, MORE: f"# {KEEP}=1h\n{KEEP}=2h"}
    assert judged(files, fragment=f"ExecStart={command}") == lines
    assert judged(files, fragment="ExecStart=/usr/bin/ollama serve") == []


def test_a_line_that_was_not_read_ends_what_goes_on_in_it() -> None:
    """Of a script only the lines that may matter are there."""
    lines = [
        (START, 1, "echo \\"),
        (START, 5, f"export {KEEP}=24h"),
        (UNIT, 1, "[Service]"),
        (UNIT, 2, f"ExecStart={START}"),
    ]
    found = Observed(settings=tuple(Line(*it) for it in lines), units={"ollama.service": {"FragmentPath": UNIT}})
    assert [it.where for it in conflicts(DECLARED, (), found, OURS, FILE)] == [f"{START}:5"]


VALUE = st.sampled_from(["-1", "-1m", "24h", "1440m", "86400", "0", "5m", "forever", "1h30m", ""])
BLANK = st.sampled_from(["", " ", "\t", "  "])
QUOTE = st.sampled_from(["", '"', "'"])


@given(VALUE, BLANK, QUOTE, st.booleans(), st.lists(st.sampled_from(["", "# x", "FOO=a b", ";", "[Service]"])))
def test_a_later_file_is_in_the_way_just_where_it_means_something_else(
    value: str, blank: str, quote: str, may_miss: bool, before: list[str]
) -> None:
    line = f"{blank}{KEEP}{blank}={blank}{quote}{value}{quote}{blank}"
    files = {LATER: f"[Service]\nEnvironmentFile={'-' * may_miss}{DEFAULTS}", DEFAULTS: "\n".join([*before, line])}
    right = meaning.same(KEEP, value, "-1")
    assert judged(files) == ([] if right else [f"{DEFAULTS}:{len(before) + 1} {KEEP}={value}"])


@given(st.dictionaries(st.sampled_from([UNIT, OVERRIDE, LATER, DEFAULTS, START]), st.text(max_size=80)))
def test_no_text_is_too_strange(files: dict[str, str]) -> None:
    judged({path: text.replace("\r", "") for path, text in files.items()}, fragment=f"ExecStart={START}")
