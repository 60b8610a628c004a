"""What is built to be installed has all that a deploy reads, and renders it from there alone."""

import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

from ollama_slots.host import render, template
from tests.unit.declared import declared
from tests.unit.written import warm_up_files

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    path = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [file] = path.iterdir()
    return ZipFile(file)


def test_the_wheel_has_the_templates_and_all_of_the_package(wheel: ZipFile) -> None:
    beside = {f"ollama_slots/templates/{it.name}" for it in (ROOT / "templates").iterdir()}
    within = {
        str(it.relative_to(ROOT)) for it in (ROOT / "ollama_slots").rglob("*.*") if "__" not in it.parent.name
    }
    assert beside | within <= set(wheel.namelist())
    assert "ollama_slots/py.typed" in wheel.namelist()


def test_an_installed_package_renders_from_its_own_templates(wheel: ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    asked = "from ollama_slots.host import template; print(template.TEMPLATES)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=tmp_path / "installed",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == str(tmp_path / "installed" / "ollama_slots" / "templates")


def test_a_file_of_the_same_name_in_somebodys_project_is_not_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").mkdir()
    for file in template.TEMPLATES.iterdir():
        (tmp_path / "templates" / file.name).write_text("theirs")
        (tmp_path / file.name).write_text("theirs")
    ours = warm_up_files(declared("a:1b")), render.service(declared("a:1b"))
    monkeypatch.chdir(tmp_path)
    template._own.cache_clear()
    template._users.cache_clear()
    assert (warm_up_files(declared("a:1b")), render.service(declared("a:1b"))) == ours
    assert "theirs" not in template.modelfile(None, slot=declared("a:1b").slots[0], model="a:1b", num_ctx=1)


def test_a_modelfile_of_the_users_own_is_relative_to_their_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "Modelfile.j2").write_text(
        "FROM {{ model }}\nPARAMETER num_ctx {{ num_ctx }}\n# mine\n"
    )
    template._users.cache_clear()
    assert declared("a:1b", slot1_modelfile="templates/Modelfile.j2")
    mine = template.modelfile("templates/Modelfile.j2", model="a:1b", num_ctx=8)
    assert mine == "FROM a:1b\nPARAMETER num_ctx 8\n# mine\n"


def test_the_pinned_packages_are_those_that_an_extra_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {it.partition(">")[0] for it in project["optional-dependencies"]["benchmark"]}
    lines = (ROOT / "ollama_slots/benchmark/requirements.txt").read_text().splitlines()
    assert named == {it.partition("==")[0] for it in lines if "==" in it}
