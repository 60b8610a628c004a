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

from ollama_slots import facts
from ollama_slots.core import address, names
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import Target
from ollama_slots.host import render
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.service import service
from ollama_slots.operations.warm_up import proof, warm_up
from tests.unit.declared import declared
from tests.unit.fake import Run, answers
from tests.unit.hostile import TEXT
from tests.unit.world import URL, World
from tests.unit.written import assert_written_as_declared, warm_up_files

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
    st.from_regex("[a-z_]{1,9}", fullmatch=True).filter(lambda name: name != "num_ctx"),
    st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS, max_size=2),
    max_size=2,
)
NAMES = st.from_regex("[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", fullmatch=True) | st.just("n" * 80)
BASES = ["mistral:7b", "_a/_b:_c", "hub:5000/Me/x-.-:Q4_K_M", "h" * 350 + "/n/" + "m" * 80, "none"]
SECONDS = st.integers(1, 7 * 24 * 3600)
TAKEN = st.fixed_dictionaries(
    {"slot1_name": NAMES, "slot1_num_ctx": st.integers(1, 2**31), "slot1_model": st.sampled_from(BASES)},
    optional={
        "slot1_system": TEXTS,
        "slot1_parameters": PARAMETERS,
        "keep_alive": st.integers(-9, 10**9 - 1) | st.from_regex(r"-?([0-9]{1,6}(ms|s|m|h)){1,2}", fullmatch=True),
        "ollama_url": st.from_regex(
            r"http://([A-Za-z0-9.-]{1,9}|\[[0-9a-f:.]{1,9}\])(:[0-9]{1,5})?", fullmatch=True
        ),
        "pull_insecure": st.booleans(),
        "model_registry": st.none() | st.from_regex(r"https?://[A-Za-z0-9.-]{1,9}(:[0-9]{1,5})?", fullmatch=True),
        "max_loaded_models": st.integers(1, 1000),
        "load_seconds": st.integers(1, 7 * 24 * 3600),
    },
).map(Settings.of)


@settings(max_examples=1000)
@given(st.lists(st.lists(ARGUMENTS, max_size=4), max_size=3), ARGUMENTS)
def test_an_argument_arrives_as_it_is_whatever_it_is(arguments: list[list[str]], text: str) -> None:
    commands = [facts.script(text, *it) for it in arguments]
    assert through_sh(commands) == [["sh", "-c", text, "ollama-slots", *it] for it in arguments]


@settings(max_examples=1000)
@given(TAKEN, st.booleans())
def test_what_is_written_says_what_was_declared_and_nothing_else(taken: Settings, needs_gpu: bool) -> None:
    assert_written_as_declared(taken)
    head = warm_up_files(taken, needs_gpu)[render.WARM_UP_SCRIPT][1].partition("\n\n")[0]
    asked = StringCommand(head + '\nprint "$url" "$keep_alive" "$load_seconds" "$gpu"')
    keep_alive, gpu = json.dumps(taken.keep_alive), "yes" if needs_gpu else "no"
    assert through_sh([asked]) == [[URL, keep_alive, str(taken.load_seconds), gpu]]


def deployed(taken: Settings) -> list[list[str]]:
    """What a first deploy of this data has a host start."""
    done = Run([preflight, service, models, warm_up, proof], taken, gpu=answers(World(), taken))
    assert not done.failed
    return through_sh(StringCommand(it) for it in done.commands["gpu"])


OURS = {
    words[2]
    for registry in (None, "http://mirror:5080")
    for words in deployed(declared("mistral:7b", model_registry=registry))
    if words[0] == "sh"
}
PULLING = ("ask", "engine", "store", "moves", "bases", "unfinished", "pulling")


@settings(max_examples=200)
@given(TAKEN)
def test_all_that_a_deploy_sends_is_a_script_of_ours_and_its_arguments(taken: Settings) -> None:
    for program, *words in deployed(taken):
        if program == "systemctl":
            assert words in (["daemon-reload"], ["enable", "ollama-warmup.service"])
            continue
        flag, text, zero, *arguments = words
        assert (program, flag, zero) == ("sh", "-c", "ollama-slots")
        assert text in OURS
        assert re.fullmatch("\0".join(expected(taken, text, arguments)), "\0".join(arguments))


def expected(taken: Settings, text: str, arguments: list[str]) -> list[str]:
    """A pattern of each argument that a script is to have."""
    [slot], given = taken.slots, re.escape(taken.ollama_url or "")
    url = given or re.escape(URL)
    bounds = [json.dumps(taken.keep_alive), str(taken.load_seconds), str(taken.lock_seconds)]
    insecure, name = str(taken.pull_insecure).lower(), names.parse(slot.model or "")
    pull = [str(taken.pull_stall_seconds), str(taken.pull_seconds), bounds[2], "yes", ""]
    mirrored = ["/".join(name), taken.model_registry or "", name.repository, name.tag.lower()]
    model = re.escape(slot.model or "")
    written = re.escape(render.modelfile(Target(slot, slot.model or "", slot.num_ctx)))
    sha = "[0-9a-f]{64}"
    state = f"model={model}\nmodelfile={sha}\nbase={sha}\nweights={sha}\ncontext=[0-9]+\nbrought=.*"
    at = address.numeric(taken.ollama_url or URL, "127.0.0.1") or ""
    files = render.service(taken).files | warm_up_files(taken, needs_gpu=False, url=at)
    installed = [re.escape(it) for path in arguments[::3] for it in (path, *files.get(path, ()))]
    return {
        render.host_script("ask", "store", "settings", "probe"): [given, ".*", *files, render.OUTDATED],
        render.host_script("ask", "engine", "store", "details"): [
            *(url, ""),
            *[f"{model}|{slot.name}:(latest|current|previous)"] * len(arguments[2:]),
        ],
        render.host_script("install"): installed,
        render.host_script(*PULLING, "pull"): [url, model, insecure, *pull],
        render.host_script(*PULLING, "fetch"): [url, model, *map(re.escape, mirrored), *pull],
        render.host_script("ask", "engine", "store", "moves", "rotate"): [
            *(url, *bounds, slot.name, written, state, sha, "[0-9]+", f"({sha} ?)+", "no", "no", "no", "yes")
        ],
        render.host_script("ask", "engine", "store", "moves", "warm"): [re.escape(at), *bounds, render.RESTARTED],
    }.get(text) or [given, str(taken.api_seconds)]  # which starts Ollama
