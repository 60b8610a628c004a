"""Whatever is taken reaches a host's shell, systemd and the engine as what it is, and as nothing else.

Every command goes through a real sh, which prints the arguments that it would start a program with.
"""

import json
import re
import subprocess
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st
from pyinfra.api import StringCommand
from pyinfra.connectors.util import make_unix_command

from ollama_slots.core import address, names
from ollama_slots.core.needs import TOOLS
from ollama_slots.core.parameters import wrong
from ollama_slots.core.settings import Settings
from ollama_slots.host import calls, render, scripts
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.service import service
from ollama_slots.operations.warm_up import proof, warm_up
from tests.unit import paths
from tests.unit.fake import Run, answers
from tests.unit.host import seam
from tests.unit.hostile import TEXT
from tests.unit.world import URL, World
from tests.unit.written import assert_written_as_declared, warm_up_files, watch_files

# What sh would start is printed instead; but the shell in which pyinfra wraps a command is started, as it were.
PRINT = r"""
print() { printf '%s\0' "$#" "$@"; }
sh() { [ "$#" = 2 ] && [ "$1" = -c ] && eval "$2" || print sh "$@"; }
systemctl() { print systemctl "$@"; }
PATH=
"""


def through_sh(commands: Iterable[StringCommand]) -> list[list[str]]:
    """What the commands come to as pyinfra sends them: each program that would be started, with its arguments."""
    sent = [make_unix_command(it).get_raw_value() for it in commands]
    text = "\n".join([PRINT, *sent, ""])
    done = subprocess.run(["sh"], input=text.encode(), capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    words = iter(done.stdout.decode().split("\0"))
    return [[next(words) for _ in range(int(count))] for count in words if count]


# A text that a command can have, and one that a Modelfile can.
ARGUMENTS = TEXT.map(lambda text: text.replace("\0", "").encode(errors="ignore").decode())


def for_a_modelfile(text: str) -> str:
    text = "".join(it for it in text if it.isprintable() or it in "\t\r\n")
    return re.sub('""+', '"', text).rstrip('"')


TEXTS = TEXT.map(for_a_modelfile)
NUMBERS = st.integers(1 - 2**63, 2**63 - 1) | st.floats(-1e18, 1e18)
PARAMETERS = st.dictionaries(
    st.from_regex("[a-z_]{1,9}", fullmatch=True).filter(lambda name: wrong(name, None) is None),
    st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=2),
    max_size=2,
)
NAMES = st.from_regex("[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", fullmatch=True) | st.just("n" * 80)
BASES = ["mistral:7b", "_a/_b:_c", "hub:5000/Me/x-.-:Q4_K_M", "h" * 350 + "/n/" + "m" * 80, "none"]
SECONDS = st.integers(1, 7 * 24 * 3600)
TAKEN = st.fixed_dictionaries(
    {"slot1_name": NAMES, "slot1_num_ctx": st.integers(1, 2**31), "slot1_model": st.sampled_from(BASES)},
    optional={
        "slot1_system": TEXTS.filter(bool),
        "slot1_parameters": PARAMETERS,
        "keep_alive": st.integers(-9, 10**9 - 1).filter(bool)
        | st.from_regex(r"-?([0-9]{1,6}(ms|s|m|h)){1,2}", fullmatch=True).filter(re.compile("[1-9]").search),
        "ollama_url": st.from_regex(
            r"http://([A-Za-z0-9.-]{1,9}|\[[0-9a-f:.]{1,9}\])(:[0-9]{1,4})?", fullmatch=True
        ),
        "pull_insecure": st.booleans(),
        "model_registry": st.none() | st.from_regex(r"https?://[A-Za-z0-9.-]{1,9}(:[0-9]{1,4})?", fullmatch=True),
        "max_loaded_models": st.integers(1, 1000),
        "load_seconds": st.integers(1, 7 * 24 * 3600),
    },
).map(Settings.of)


OPENED = f"{{ printf %s '{scripts.MARK}'; "
READ = r" | tr '\n\037' '\037 '; echo; }" + "\n"


def body(*names: str, guarded: bool) -> str:
    """What comes before scripts, whatever their arguments are, but what paths.sh goes by."""
    needed = scripts.resolved(*names, *([scripts.SINCE] if guarded else []))
    text = scripts.libraries(*(it for it in needed if it not in names))
    return text[text.index(scripts.source(scripts.PATHS)) :]


def arguments_in(names: list[str], text: str) -> list[tuple[dict[str, str], list[str]]]:
    """What sh reads at the head of each of these scripts, by name, and what it lists; there is no more to it."""
    text = seam.sent(text)
    before, whole, rest = text.partition(body(*names, guarded='"$(since)"' in text))
    assert whole
    if guard := re.match(r'if \[ "\$\(since\)" = \S+ \]; then\n', rest):
        tail = f"\nelse echo '{scripts.MARK}{scripts.CHANGED}'; fi\n"
        assert rest.endswith(tail)
        rest = rest.removesuffix(tail)[guard.end() :]
    found: list[tuple[dict[str, str], list[str]]] = []
    for name in names:
        given, whole, rest = rest.partition(scripts.source(name))
        assert whole
        opened = re.match(rf"( &&\n)?({re.escape(OPENED)})?(\(\n)?", given)
        assert opened
        closed = f"{')' if opened[3] else ''}{READ if opened[2] else ''}"
        assert rest.startswith(closed)
        rest = rest.removeprefix(closed)
        assert bool(opened[1]) is bool(found)
        found.append(_given(name, before + given[opened.end() :]))
    assert rest == ""
    return found


def _given(name: str, head: str) -> tuple[dict[str, str], list[str]]:
    takes = ["root", *(scripts.said(name, "takes") or [])]
    asked = " ".join(f'"${it}"' for it in takes)
    asks = head + f"PATH=\nprintf '%s\\0' {asked} \"$@\""
    decode = [*("/bin/sh", "-c"), scripts.DECODE, "x", scripts.escaped(asks)]
    done = subprocess.run(decode, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    found = done.stdout.decode().removesuffix("\0").split("\0")
    return dict(zip(takes, found, strict=False)), found[len(takes) :]


@settings(max_examples=300)
@given(st.lists(ARGUMENTS, max_size=4), ARGUMENTS, ARGUMENTS)
def test_an_argument_arrives_as_it_is_whatever_it_is(listed: list[str], first: str, second: str) -> None:
    [words] = through_sh([scripts.command(calls.details(first, listed, [second]))])
    assert words[:4] == ["sh", "-c", scripts.DECODE, "ollama-slots/details"]
    assert arguments_in(["details"], words[4]) == [({"root": "", "url": first, "doubted": second}, listed)]


@settings(max_examples=1000)
@given(TAKEN, st.booleans())
def test_what_is_written_says_what_was_declared_and_nothing_else(taken: Settings, needs_gpu: bool) -> None:
    assert_written_as_declared(taken)
    head = warm_up_files(taken, needs_gpu)[paths.WARM_UP_SCRIPT][1].partition("\n\n")[0]
    asked = StringCommand(head + '\nprint "$url" "$keep_alive" "$load_seconds" "$gpu"')
    keep_alive, gpu = json.dumps(taken.keep_alive), "yes" if needs_gpu else "no"
    assert through_sh([asked]) == [[URL, keep_alive, str(taken.load_seconds), gpu]]


def deployed(taken: Settings) -> list[list[str]]:
    """What a first deploy of this data has a host start."""
    done = Run([preflight, service, models, warm_up, proof], taken, gpu=answers(World(), taken))
    assert not done.failed
    return through_sh(StringCommand(it) for it in done.commands["gpu"])


@settings(max_examples=100)
@given(TAKEN)
def test_all_that_a_deploy_sends_is_a_script_of_ours_and_its_arguments(taken: Settings) -> None:
    for *start, zero, text in deployed(taken):
        assert start == ["sh", "-c", scripts.DECODE]
        names = zero.removeprefix("ollama-slots/").split("+")
        for script, (found, listed) in zip(names, arguments_in(names, text), strict=True):
            wanted = expected(taken, script)
            assert found.keys() == {"root", *wanted}
            for name, pattern in wanted.items():
                assert re.fullmatch(pattern, found[name]), (script, name)
            assert re.fullmatch("\0".join(expected_list(taken, script, listed)), "\0".join(listed))


def expected(taken: Settings, script: str) -> dict[str, str]:
    """A pattern of each argument that a script is to have."""
    [slot], given = taken.slots, re.escape(taken.ollama_url or "")
    url = given or re.escape(URL)
    at = address.numeric(taken.ollama_url or URL, "127.0.0.1") or ""
    name, model, sha = names.parse(slot.model or ""), re.escape(slot.model or ""), "[0-9a-f]{64}"
    held = re.escape(slot.name) if slot.model not in (None, "none") else ""
    lock = {"lock_seconds": str(taken.lock_seconds)}
    loading = {"keep_alive": json.dumps(taken.keep_alive), "load_seconds": str(taken.load_seconds), **lock}
    bringing = {
        **{
            "url": url,
            "model": model,
            "for_slots": re.escape(slot.name),
            "record_base": "yes",
            "damaged": "",
            **lock,
        },
        **{"stall_seconds": str(taken.pull_stall_seconds), "total_seconds": str(taken.pull_seconds)},
    }
    mirrored = {
        **{"path": "/".join(name), "mirror": taken.model_registry or ""},
        **{"repository": name.repository, "tag": name.tag.lower()},
    }
    state = f"model={model}\nmodelfile={sha}\nbase={sha}\nweights={sha}\ncontext=[0-9]+\nbrought=.*"
    return {
        "probe": {"url": given, "tools": " ".join(TOOLS), "shows": "yes|no|new", "declared": held},
        "details": {"url": url, "doubted": ""},
        "install": {
            "gone": "",
            "reload": "yes|no",
            "enable": "(ollama-warmup.service)?( ?ollama-slots-watch.timer)?",
        },
        "watching": {"verb": "start"},
        "looking": {},
        "await": {
            "verb": "start|restart",
            "url": given,
            "seconds": str(taken.api_seconds),
            "driver_seconds": "10|",
        },
        "pull": {**bringing, "insecure": str(taken.pull_insecure).lower()},
        "fetch": {**bringing, **{key: re.escape(it) for key, it in mirrored.items()}},
        "warm": {"url": re.escape(at), **loading, "gpu": "yes|no"},
        "rotate": {
            **{"url": url, **loading, "slot": slot.name, "rolls_back": "no", "state": state, "weights": sha},
            **{"context": "[0-9]+", "known": f"({sha} ?)+", "gpu": "no", "make_room": "no"},
            **{"unload_old": "no", "alone": "yes", "bytes": "[0-9]+"},
        },
    }[script]


def expected_list(taken: Settings, script: str, listed: list[str]) -> list[str]:
    """A pattern of each argument that comes after a script."""
    [slot] = taken.slots
    if script in {"details", "probe"}:
        return [f"({re.escape(slot.model or '')}|{slot.name}:(latest|current|previous))"] * len(listed)
    at = address.numeric(taken.ollama_url or URL, "127.0.0.1") or ""
    files = render.service(taken).files | warm_up_files(taken, url=at) | watch_files(taken, url=at)
    sizes = {path: (mode, f"{len(text.encode())}") for path, (mode, text) in files.items()}
    return [re.escape(it) for path in listed[::3] for it in (path, *sizes.get(path, ()))]
