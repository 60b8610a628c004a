import re
from typing import Any

import pytest

from ollama_slots.host import calls, render
from tests.unit import paths
from tests.unit.declared import declared
from tests.unit.world import URL
from tests.unit.written import warm_up_files


def script(needs_gpu: bool = False, **data: Any) -> str:
    return warm_up_files(declared("a", "b", "c", "d", **data), needs_gpu)[paths.WARM_UP_SCRIPT][1]


def unit(**data: Any) -> str:
    return warm_up_files(declared("a", "b", "c", "d", **data))[paths.WARM_UP_UNIT][1]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        ({}, ["OLLAMA_KEEP_ALIVE=-1", "OLLAMA_MAX_LOADED_MODELS=5"]),
        ({"keep_alive": "24h", "max_loaded_models": 9}, ["OLLAMA_KEEP_ALIVE=24h", "OLLAMA_MAX_LOADED_MODELS=9"]),
    ],
)
def test_the_environment_is_a_file_that_the_drop_in_names(data: dict[str, object], lines: list[str]) -> None:
    files = render.service(declared("a", "b", "c", "d", **data)).files
    assert list(files) == ["/etc/ollama/ollama-slots.env", paths.DROP_IN]
    bodies = [[line for line in text.splitlines() if not line.startswith("#")] for _, text in files.values()]
    assert bodies == [lines, ["[Service]", "EnvironmentFile=-/etc/ollama/ollama-slots.env"]]
    assert all(mode == "644" and text.endswith("\n") for mode, text in files.values())


def test_the_unit_follows_ollama_through_boot_restart_and_crash() -> None:
    lines = unit().splitlines()
    for line in ("After", "Requires", "PartOf", "WantedBy"):
        assert f"{line}=ollama.service" in lines
    assert "Type=oneshot" in lines
    assert "RemainAfterExit=yes" in lines
    assert f"ExecStart={paths.WARM_UP_SCRIPT}" in lines


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (URL, "localhost"),
        ("http://127.1.2.3:80", "localhost"),
        ("http://[::1]:11434", "localhost"),
        ("http://10.79.0.11:8080", "localhost 10.79.0.11"),
        ("http://[2001:db8::1]:8080", "localhost 2001:db8::1"),
    ],
)
def test_the_unit_may_reach_ollama_where_it_is_asked_and_nothing_else(url: str, allowed: str) -> None:
    files = warm_up_files(declared("a"), url=url)
    assert f"\nIPAddressDeny=any\nIPAddressAllow={allowed}\n" in files[paths.WARM_UP_UNIT][1]
    assert f"\nurl={url}\n" in files[paths.WARM_UP_SCRIPT][1]


def test_the_script_may_be_run_and_the_unit_may_not() -> None:
    files = warm_up_files(declared("a"))
    assert {path: mode for path, (mode, _) in files.items()} == {
        "/usr/local/lib/ollama-slots/ollama-warmup.sh": "755",
        "/etc/systemd/system/ollama-warmup.service": "644",
    }


@pytest.mark.parametrize(
    "data", [{}, {"api_seconds": 1, "load_seconds": 1}, {"api_seconds": 600, "load_seconds": 3600}]
)
def test_the_unit_outlasts_every_wait_of_its_script(data: dict[str, Any]) -> None:
    """Each of them at its longest: an engine that takes connections long before it answers is a usual one."""
    settings, text = declared("a", "b", "c", "d", **data), script(**data)
    bound = {path: int(seconds) for seconds, path in re.findall(r"\bapi (\d+) (/api/\w+)", text)}
    waiting = re.search(
        r"end=.*clock\) \+ api_seconds\)\)\nuntil api .*\n.*clock.*-lt .*end.*\n +sleep ([\d.]+)", text
    )
    assert waiting
    api = settings.api_seconds + 1 + bound["/api/version"] + float(waiting[1])
    leaving = re.search(r"end=.*clock\) \+ (\d+)\)\)\nwhile some_leave && .*clock.*end.*\n +sleep (\d+)", text)
    assert leaving
    leave = int(leaving[1]) + 1 + 2 * bound["/api/ps"] + int(leaving[2])
    proof = bound["/api/ps"] + settings.loaded_models * (bound["/api/tags"] + bound["/api/show"])
    # Each slot is loaded, proven, loaded once more where it has gone, and proven twice.
    waits = api + leave + bound["/api/tags"] + len(settings.slots) * (2 * settings.load_seconds + 2 + 3 * proof)
    timeout = re.search(r"^TimeoutStartSec=(\d+)$", unit(**data), re.MULTILINE)
    assert timeout
    assert int(timeout[1]) > waits


@pytest.mark.parametrize(("keep_alive", "json"), [(-1, "-1"), (3600, "3600"), ("24h", '"24h"')])
def test_keep_alive_is_json_in_a_request(keep_alive: int | str, json: str) -> None:
    """A string of "-1" is an error to the engine, and so is a duration without quotes."""
    assert calls.keep_alive(declared("a", keep_alive=keep_alive)) == json
    assert f"keep_alive='{json}'\n" in script(keep_alive=keep_alive)


@pytest.mark.parametrize(("needs_gpu", "word"), [(True, "yes"), (False, "no")])
def test_the_script_knows_whether_slots_must_be_in_gpu_memory(needs_gpu: bool, word: str) -> None:
    assert re.search(rf"^gpu={word}\b", script(needs_gpu), re.MULTILINE)


def test_the_script_asks_with_one_token_and_no_other_option() -> None:
    """Another option would load the runner in another shape than clients ask for."""
    assert '"options":{"num_predict":1}' in script()
    assert script().count("options") == 1
