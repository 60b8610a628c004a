"""What runs on a host, as it runs there: the texts that are put together, through shellcheck and sh."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from ollama_slots.host import scripts
from tests.unit import paths
from tests.unit.declared import declared
from tests.unit.written import warm_up_files, watch_files

SHELLCHECK = str(Path(sys.executable).with_name("shellcheck"))

SCRIPTS = {
    **{
        name: scripts.text(name, **dict.fromkeys(scripts.said(name, "takes") or [], "x"))
        for name in scripts.every()
    },
    "apart": Path("tests/lab/apart").read_text(),
    "warm-up": warm_up_files(declared("a", "b"), needs_gpu=True)[paths.WARM_UP_SCRIPT][1],
    "watch": watch_files(declared("a", "b"))[paths.WATCH_SCRIPT][1],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    # What several scripts share, none needs all of. SC2329: a function that is not called; SC2154: what such a
    # one reads, and its caller would have set.
    command = [SHELLCHECK, "--shell=sh", "--format=gcc", "--exclude=SC2329,SC2154", "-"]
    done = subprocess.run(command, input=SCRIPTS[name], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_function_takes_the_place_of_another(name: str) -> None:
    """A library that comes later would have one of an earlier one do something else."""
    defined = re.findall(r"^(\w+)\(\) ", SCRIPTS[name], flags=re.MULTILINE)
    assert [it for it, count in Counter(defined).items() if count > 1] == []


def test_a_rotation_does_not_take_the_old_runner_for_the_new_one() -> None:
    """The old weights may stay for another slot's sake: that runner's digest says nothing of the new ones."""
    [line] = [it for it in SCRIPTS["rotate"].splitlines() if it.startswith("loaded=$(runner ")]
    assert "$old" not in line


def engine(command: str, text: str) -> str:
    """What a function of engine.sh prints for a text on its stdin."""
    script = f"{scripts.libraries('engine')}\n{command}"
    return subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True, check=True).stdout


TAGS = (
    '{"models":[{"name":"one:latest","model":"one:latest","modified_at":"2026-01-15T10:30:00Z","size":98,'
    '"digest":"aaa","details":{"parent_model":"x:1b","format":"gguf","family":"llama","families":["llama"],'
    '"parameter_size":"1B","quantization_level":"Q4_1"},"capabilities":["completion"]},'
    '{"name":"two:latest","model":"two:latest","size":253,"digest":"bbb","details":{"families":null}}]}'
)
PS = (
    '{"models":[{"name":"one:previous","model":"one:previous","size":2345678901,"digest":"aaa","details":{"parent_model":"",'
    '"family":"llama"},"expires_at":"2318-04-27T00:00:00Z","size_vram":2345678901,"context_length":4096}]}'
)


def test_the_engines_list_is_read_one_line_a_model() -> None:
    assert engine("rows models name", TAGS).split() == ["one:latest", "two:latest"]
    assert engine("rows models digest", TAGS).split() == ["aaa", "bbb"]


def test_the_engines_runners_are_read() -> None:
    for key, value in [("context_length", "4096"), ("size", "2345678901"), ("size_vram", "2345678901")]:
        assert engine(f"rows models {key}", PS).split() == [value]


@pytest.mark.parametrize("text", ["", '{"models":[]}', '{"models":null}', "curl: (7) Failed to connect"])
def test_no_list_is_no_model(text: str) -> None:
    assert engine("rows models name || true", text) == ""


def test_an_error_is_told_without_its_json() -> None:
    assert engine('error_in "$(cat)"', '{"error":"model \'x\' not found"}\n').strip() == "model 'x' not found"


def model_store(pid: str, **environ: str) -> tuple[int, str]:
    """What model_store comes to for a process with this environment: its exit status, and what it prints."""
    script = f"{scripts.libraries('store')}\nsystemctl() {{ echo {pid}; }}\nmodel_store"
    asked = ["env", "-i", *(f"{key}={value}" for key, value in environ.items()), "/bin/sh", "-c", script]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip()


def test_the_models_are_where_the_engines_own_process_keeps_them() -> None:
    assert model_store("$$", HOME="/usr/share/ollama") == (0, "/usr/share/ollama/.ollama/models")
    assert model_store("$$", HOME="/usr/share/ollama", OLLAMA_MODELS="/mnt/a b") == (0, "/mnt/a b")


@pytest.mark.parametrize("pid", ["0", ""])
def test_where_no_engine_runs_nothing_is_said_of_its_store(pid: str) -> None:
    """An empty answer would be the root directory, and what is done in a store would be done there."""
    code, said = model_store(pid)
    assert code
    assert said == ""


def test_an_engine_without_a_home_has_no_store() -> None:
    assert model_store("$$") == (1, "")
