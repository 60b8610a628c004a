"""host/await.sh waits for Ollama, and host/install.sh puts files in place."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ollama_slots.core.rendered import Files
from ollama_slots.host import calls, scripts
from tests.unit.host.directory_host import DirectoryHost, Done

NOWHERE = "http://127.0.0.1:1"


def test_one_that_answers_is_waited_for_no_longer(host: DirectoryHost) -> None:
    for url in ("", host.engine.url):
        done = host.run("await", verb="start", url=url, seconds=5)
        assert (done.code, done.err) == (0, "")


def test_it_is_started_or_restarted_first(host: DirectoryHost) -> None:
    before = host.main
    for verb in ("start", "restart"):
        assert host.run("await", verb=verb, url="", seconds=5).code == 0
        assert host.programs.called.pop() == ["systemctl", verb, "ollama.service"]
    assert host.main != before


def test_one_that_cannot_be_started_is_not_waited_for(host: DirectoryHost) -> None:
    (host.root / "bin/systemctl").write_text("#!/bin/sh\necho Job failed. >&2\nexit 1\n")
    done = host.run("await", verb="start", url="", seconds=60)
    assert (done.code, done.err) == (1, "Job failed.\n")


def test_one_that_comes_is_waited_for(host: DirectoryHost) -> None:
    host.stop_engine()
    threading.Timer(0.5, host.start_engine).start()
    assert host.run("await", verb="start", url="", seconds=20).code == 0


def test_one_that_takes_connections_and_does_not_answer_is_not_there(host: DirectoryHost) -> None:
    host.engine.down = True
    done = host.run("await", verb="start", url="", seconds=1)
    assert (done.code, done.err) == (
        1,
        f"Ollama does not answer at {host.engine.url} after 1 s: see journalctl -u ollama\n",
    )


def test_one_that_is_elsewhere_is_told_of(host: DirectoryHost) -> None:
    done = host.run("await", verb="start", url=NOWHERE, seconds=1)
    assert done.code == 1
    assert f"at {NOWHERE}, the ollama_url (its process listens at {host.engine.url})," in done.err


def test_one_that_listens_nowhere_is_told_of(host: DirectoryHost) -> None:
    host.stop_engine()
    done = host.run("await", verb="start", url="", seconds=1)
    assert done.err == "Ollama does not answer after 1 s: see journalctl -u ollama\n"


def nvidia_smi(host: DirectoryHost, text: str) -> None:
    """What that program does from now on."""
    (host.root / "bin/nvidia-smi").write_text(f"#!/bin/sh\n{text}\n")
    (host.root / "bin/nvidia-smi").chmod(0o755)


DRIVER = "expected nvidia-smi to answer before Ollama is restarted, found: "
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch"
UNHEALTHY = {
    f"echo '{MISMATCH}'; echo 'NVML library version: 570.86'; exit 18": MISMATCH,
    'echo "NVIDIA-SMI has failed" >&2; exit 9': "NVIDIA-SMI has failed",
    "exit 6": "exit status 6",
    "exec /bin/sleep 30": "no answer in 1 s",
    "trap '' TERM; while :; do /bin/sleep 1; done": "no answer in 1 s",
}


@pytest.mark.parametrize("does", UNHEALTHY)
def test_ollama_is_not_restarted_while_its_driver_does_not_answer(host: DirectoryHost, does: str) -> None:
    nvidia_smi(host, does)
    before = host.main
    start = time.monotonic()
    done = host.run("await", verb="restart", url="", seconds=5, driver_seconds=1)
    assert done.code == 1
    assert done.err == f"{DRIVER}{UNHEALTHY[does]}; reboot the host or reload the driver, then deploy again\n"
    assert host.main == before
    assert host.programs.called == []
    assert list((host.root / "tmp").iterdir()) == []
    assert time.monotonic() - start < 25
    # A start loses nothing, and a restart for one that has nothing in GPU memory neither.
    for verb, bound in (("start", "1"), ("restart", "")):
        assert host.run("await", verb=verb, url="", seconds=5, driver_seconds=bound).code == 0
    assert host.main != before


def test_one_that_hangs_is_ended_and_one_that_cannot_be_is_left(host: DirectoryHost) -> None:
    nvidia_smi(host, f"echo $$ >{host.root}/pid; exec /bin/sleep 60")
    assert host.run("await", verb="restart", url="", seconds=5, driver_seconds=1).code == 1
    left = Path("/proc") / (host.root / "pid").read_text().strip()
    assert not left.exists()
    (host.root / "bin/timeout").write_text("#!/bin/sh\nexec /bin/sleep 15\n")
    (host.root / "bin/timeout").chmod(0o755)
    done = host.run("await", verb="restart", url="", seconds=5, driver_seconds=1)
    assert (done.code, "found: no answer in 1 s; " in done.err) == (1, True)


@pytest.mark.parametrize("what", ["answers", "is not there", "is of no card here"])
def test_ollama_is_restarted_where_its_driver_is_well(host: DirectoryHost, what: str) -> None:
    nvidia_smi(host, "exit 9" if what == "is of no card here" else "echo 'GPU 0: x'")
    if what == "is not there":
        (host.root / "bin/nvidia-smi").unlink()
    elif what == "is of no card here":  # AMD's own driver, and none of NVIDIA's
        (host.root / "dev").mkdir()
        (host.root / "dev/kfd").touch()
    before = host.main
    done = host.run("await", verb="restart", url="", seconds=5, driver_seconds=5)
    assert (done.code, done.err) == (0, "")
    assert host.main != before


def test_with_cards_of_both_makers_nvidias_driver_counts(host: DirectoryHost) -> None:
    nvidia_smi(host, "exit 9")
    (host.root / "dev").mkdir()
    (host.root / "dev/kfd").touch()
    (host.root / "proc/driver/nvidia").mkdir(parents=True)
    assert host.run("await", verb="restart", url="", seconds=5, driver_seconds=5).code == 1


def install(host: DirectoryHost, files: Files, more: str = "\n", **given: Any) -> Done:
    """The files are put in place; pyinfra has a newline at the end of what it sends."""
    wanted = calls.install(files, files, **given)
    return host.perform(scripts.command(wanted), wanted.stdin + more)


def test_a_file_that_did_not_arrive_as_it_was_sent_is_not_there(host: DirectoryHost) -> None:
    path = host.root / "etc/x/one"
    wanted = calls.install({str(path): ("644", "text")}, [str(path)])
    for arrived in ("", "tex"):
        done = host.perform(scripts.command(wanted), arrived)
        assert (done.code, "did not arrive as it was sent" in done.err) == (1, True)
        assert [*path.parent.iterdir()] == []


def test_systemd_is_told_of_what_is_put_in_place(host: DirectoryHost) -> None:
    gone = host.root / "etc/gone"
    gone.parent.mkdir(parents=True, exist_ok=True)
    gone.touch()
    assert install(host, {}, gone=str(gone), reload=True).code == 0
    assert not gone.exists()
    assert host.programs.called[-1:] == [["systemctl", "daemon-reload"]]
    assert install(host, {}, reload=True, enable=["ollama.service"]).code == 0
    assert host.programs.called[-2:] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--quiet", "ollama.service"],  # which has it read them anew, too
    ]


def test_files_are_whole_or_not_there(host: DirectoryHost) -> None:
    one, two = host.root / "etc/x/one", host.root / "etc/x/y/two"
    texts = {str(one): ("644", "1\n\n"), str(two): ("755", "it's ä $HOME")}
    assert install(host, texts).code == 0
    assert (one.read_text(), two.read_text()) == ("1\n\n", "it's ä $HOME")
    assert (one.stat().st_mode & 0o777, two.stat().st_mode & 0o777) == (0o644, 0o755)
    assert [it.name for it in (host.root / "etc/x").rglob("*") if it.suffix == ".new"] == []


def test_a_file_is_on_the_disk_before_it_takes_its_name_and_its_name_after(host: DirectoryHost) -> None:
    one, two = host.root / "etc/x/one", host.root / "etc/y/two"
    assert install(host, {str(one): ("644", "1"), str(two): ("644", "2")}).code == 0
    assert (host.root / "synced").read_text().splitlines() == [
        f"{one}.new {two}.new",
        f"{one.parent} {two.parent}",
    ]


@pytest.mark.parametrize("fault", ["no-sync", "etc/x/one.new/in/the/way"])
def test_a_file_that_cannot_be_written_is_as_it_was(host: DirectoryHost, fault: str) -> None:
    path = host.root / "etc/x/one"
    assert install(host, {str(path): ("644", "1")}).code == 0
    blocks: Path = host.root / fault
    blocks.mkdir(parents=True)
    assert install(host, {str(path): ("644", "2")}).code != 0
    assert path.read_text() == "1"


def test_what_does_not_arrive_as_a_whole_leaves_all_as_it_was(host: DirectoryHost) -> None:
    one, two = host.root / "etc/x/one", host.root / "etc/x/two"
    assert install(host, {str(one): ("644", "1")}).code == 0
    wanted = calls.install({str(one): ("644", "2"), str(two): ("644", "more")}, [str(one), str(two)])
    done = host.perform(scripts.command(wanted), wanted.stdin[:-1])
    assert (done.code, f"{two} did not arrive as it was sent" in done.err) == (1, True)
    assert one.read_text() == "1"
    assert [it.name for it in one.parent.iterdir()] == ["one"]
