"""The front door to the scripts: what each needs and takes, where it looks, and that one word is one thing."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ollama_slots.host import scripts

SCRIPTS = scripts.every()
OF_TEMPLATES = ("metrics", "mend", "ahead")  # libraries that only those have
FUNCTION = re.compile(r"^([a-z_0-9]+)\(\) \{", re.MULTILINE)
SOURCES = {path.stem: path.read_text() for path in scripts.HERE.glob("*.sh")}
COMMAND = r"(?:^|[|&;!({]|\$\(|\b(?:then|do|else|if|elif|until|while)\b)"  # where one may begin
CALL = re.compile(COMMAND + r"[ \t]*([a-z_]+)(?=[\s;)])", re.MULTILINE)


def arguments(script: str) -> dict[str, str]:
    return dict.fromkeys(scripts.said(script, "takes") or [], "x")


def code(text: str) -> str:
    """A script without its comments, and without what it hands to awk."""
    text = re.sub(r"(^|\s)# .*", "", text)
    text = text.replace("$((", "")  # where words are variables
    programs = r"awk(?:[^'\n|]*'[^']*')+"
    return re.sub(programs, lambda it: re.sub("'[^']*'", "", it[0]), text)


def test_what_a_script_needs_comes_once_and_after_what_it_needs_itself() -> None:
    for script in SCRIPTS:
        order = scripts.resolved(script)
        assert order[-1] == script
        for number, name in enumerate(order):
            assert set(scripts.said(name, "needs") or []) <= set(order[:number])
    assert len(SCRIPTS) == 16


def test_no_library_is_there_that_nothing_needs() -> None:
    used = {name for script in (*SCRIPTS, *OF_TEMPLATES) for name in scripts.resolved(script)}
    assert used | {scripts.PATHS} == SOURCES.keys()


def test_a_circle_and_an_unknown_name_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, needs in {"a": "b", "b": "c", "c": "b", "d": "nowhere"}.items():
        (tmp_path / f"{name}.sh").write_text(f"# A library.\n# needs: {needs}\n")
    monkeypatch.setattr(scripts, "HERE", tmp_path)
    scripts.source.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"^b needs c needs b$"):
            scripts.resolved("a")
        with pytest.raises(ValueError, match=r"^nowhere: no such script$"):
            scripts.resolved("d")
    finally:
        scripts.source.cache_clear()


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_argument_that_is_missing_or_unknown_is_an_error(script: str) -> None:
    good = arguments(script)
    scripts.text(script, **good)
    with pytest.raises(ValueError, match=r"missing or unknown: other$"):
        scripts.text(script, **good, other="x")
    for name in good:
        with pytest.raises(ValueError, match=rf"missing or unknown: {name}$"):
            scripts.text(script, **{key: it for key, it in good.items() if key != name})


def test_a_library_is_no_script() -> None:
    with pytest.raises(ValueError, match=r"^engine: is a library$"):
        scripts.text("engine")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_argument_is_used_and_no_function_overwrites_it(script: str) -> None:
    used = code(scripts.text(script, **arguments(script)))
    libraries = code("".join(scripts.source(name) for name in scripts.resolved(script)[:-1]))
    for name in arguments(script):
        assert re.search(rf"\${{?{name}\b", used), name
        assert not re.search(rf"(^|(?<!-v)\s){name}=", libraries, re.MULTILINE), name


@pytest.mark.parametrize("script", [*SCRIPTS, *OF_TEMPLATES])
def test_no_word_is_two_functions(script: str) -> None:
    text = "".join(scripts.source(name) for name in scripts.resolved(script))
    assert [name for name, times in Counter(FUNCTION.findall(text)).items() if times > 1] == []


@pytest.mark.parametrize("script", [*SCRIPTS, *OF_TEMPLATES])
def test_every_function_that_is_called_comes_along(script: str) -> None:
    everywhere = {name for text in SOURCES.values() for name in FUNCTION.findall(text)}
    names = scripts.resolved(script)
    there = {name for it in names for name in FUNCTION.findall(SOURCES[it])}
    called = {name for it in names for name in CALL.findall(code(SOURCES[it]))}
    assert called & everywhere <= there


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_root_is_what_the_front_door_says_whatever_the_environment_has(script: str, tmp_path: Path) -> None:
    for root in ("", f"{tmp_path}/a b"):
        own = scripts.source(script)
        text = scripts.text(script, root=root, **arguments(script)).removesuffix(own)
        text += 'printf \'%s\\n\' "$root" "$state_dir" "$by" 2>/dev/null'
        done = subprocess.run(
            ["sh", "-c", text], env={"root": "/elsewhere", "by": "x"}, capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[:2] == [root, f"{root}/var/lib/ollama-slots"]
        assert script in {"install", "looking", "watching"} or done.stdout.splitlines()[2] == ""


def test_every_path_of_a_host_stands_in_one_place() -> None:
    """Those of the programs that a host has are no more than words to look for them."""
    texts = SOURCES | {it.stem: it.read_text() for it in Path("templates").glob("*.sh.j2")}
    for name, text in texts.items():
        if name != scripts.PATHS:
            paths = re.findall(r"(?<![\w.$}\"*])/(?:etc|var|run|proc|usr|sys|dev)/[\w./-]+", code(text))
            assert {it for it in paths if it != "/dev/null" and not re.search(r"/s?bin$", it)} == set(), name


def test_python_has_its_paths_from_there() -> None:
    assert scripts.path("warm_up_script") == "/usr/local/lib/ollama-slots/ollama-warmup.sh"
    assert scripts.path("warm_up_script", "/r") == "/r/usr/local/lib/ollama-slots/ollama-warmup.sh"
    with pytest.raises(KeyError):
        scripts.path("nowhere")


def test_python_reads_them_as_sh_does() -> None:
    names = list(scripts.paths("/r"))
    asked = " ".join(f'"${it}"' for it in names)
    done = subprocess.run(
        ["sh", "-c", f"{scripts.libraries(root='/r')}printf '%s\\n' {asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == list(scripts.paths("/r").values())
