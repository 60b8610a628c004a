"""Every test here starts from the same deployed lab, and works on the project by its commands alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import engine, registry
from tests.lab.fleet import Host, Project, model

SLOT4 = f"slot4_model={model('smollm2-math:135m')}"
_figures: list[str] = []


@pytest.fixture(scope="session")
def figures() -> list[str]:
    """Measurements of this run, printed at its end: they are reported, never asserted."""
    return _figures


def pytest_configure(config: pytest.Config) -> None:
    """Each of several workers is apart, and has a lab of its own; one alone has that of `make lab`."""
    if hasattr(config, "workerinput"):
        subprocess.run([sys.executable, "-m", "lab", "up"], check=True, stdout=sys.stderr)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Passes over what needs a simulated GPU where the engine has none."""
    if item.get_closest_marker("gpu") and not engine.simulates_gpu():
        pytest.skip(f"the lab's Ollama {engine.wanted()} has no simulated GPU")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its figures on."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = _figures


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the figures of a worker, which may have died without any."""
    _figures.extend(getattr(node, "workeroutput", {}).get("figures", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the figures."""
    if _figures:
        terminalreporter.section("figures")
        for figure in _figures:
            terminalreporter.write_line(figure)


@pytest.fixture
def gpu1() -> Host:
    return Host("gpu1")


@pytest.fixture
def gpu2() -> Host:
    return Host("gpu2")


@pytest.fixture
def fleet(gpu1: Host, gpu2: Host) -> tuple[Host, Host]:
    return gpu1, gpu2


def serve() -> None:
    """Has the registry running, whatever a test did to it."""
    if not registry.running():
        registry.start()


@pytest.fixture
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """A copy of the project, for what touches no host; a test that names no more than one has gpu1 alone."""
    path = tmp_path / "project"
    path.mkdir()
    return Project(path, ("gpu1", "gpu2") if {"gpu2", "fleet"} & {*request.fixturenames} else ("gpu1",))


@pytest.fixture
def project(checkout: Project) -> Iterator[Project]:
    """A copy of the project whose hosts are as it declares; what a test changes, the next one's deploy undoes."""
    serve()
    run = checkout.deploy(SLOT4)
    assert run.code == 0, run.output
    yield checkout
    serve()
