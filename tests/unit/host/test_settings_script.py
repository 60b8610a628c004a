"""host/settings.sh: what it reads of a host, as sh runs it."""

import shlex
import subprocess
from pathlib import Path

import pytest

from ollama_slots.core.owner import conflicts
from ollama_slots.host import scripts
from ollama_slots.host.probe import parse_probe
from tests.unit import paths
from tests.unit.world import World


def printed(unit: Path, drop_ins: list[Path], files: str, start: str) -> list[str]:
    """What it prints where systemd has read these; a path has no blank in it where systemd prints several."""
    says = [f"FragmentPath={unit}", f"DropInPaths={' '.join(map(str, drop_ins))}"]
    says += [f"EnvironmentFiles={it} (ignore_errors=yes)" for it in files.split("|") if it]
    says += [f"ExecStart={{ path=/bin/sh ; argv[]={start} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"]
    systemctl = f"systemctl() {{ printf '%s\\n' {shlex.join(says)}; }}"
    script = f'{scripts.libraries("settings")}\n{systemctl}\nsettings no.service "$(systemctl)"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_it_reads_the_units_files_and_what_they_name_and_no_more_of_that_than_matters(tmp_path: Path) -> None:
    unit, own = tmp_path / "ollama.service", tmp_path / "ollama.service.d" / "zzz.conf"
    own.parent.mkdir()
    start, read_in, secret = tmp_path / "start.sh", tmp_path / "more.env", "TOKEN=of-mine"
    log, program, big = tmp_path / "log", tmp_path / "ollama", tmp_path / "big"
    unit.write_text(f"[Service]\nExecStart=/bin/sh -c 'exec \"{start}\" >>{log}' {program} {big}\n")
    own.write_text(f"[Service]\nEnvironmentFile = -{tmp_path}/more dirs/*.env")  # which systemd has yet to read
    (tmp_path / "more dirs").mkdir()
    (tmp_path / "more dirs" / "b.env").write_text(f"{secret}\nOLLAMA_KEEP_ALIVE=24h\n")
    (tmp_path / "a.env").write_text(f"OLLAMA_MAX_LOADED_MODELS=2\n{secret}\n")
    start.write_text(f"#!/bin/sh\n{secret}\n. {read_in}\nexport OLLAMA_KEEP_ALIVE=12h\n")
    read_in.write_text(f"{secret}\nOLLAMA_DEBUG=1\n")
    program.write_bytes(b"\x7fELF\0OLLAMA_KEEP_ALIVE=1\n")
    big.write_text("x\n" * 40000 + "OLLAMA_KEEP_ALIVE=1\n")
    lines = printed(unit, [own], f"{tmp_path}/?.env|/nowhere", f"/bin/sh -c exec {start}")
    end = lines.index("== changed")
    assert lines[0] == "== settings"
    assert sorted(lines[1:end]) == sorted(
        [
            *(f"{unit}:{number}:{line}" for number, line in enumerate(unit.read_text().splitlines(), 1)),
            *(f"{own}:{number}:{line}" for number, line in enumerate(own.read_text().splitlines(), 1)),
            f"{tmp_path}/a.env:1:OLLAMA_MAX_LOADED_MODELS=2",
            f"{tmp_path}/more dirs/b.env:2:OLLAMA_KEEP_ALIVE=24h",
            f"{start}:3:. {read_in}",
            f"{start}:4:export OLLAMA_KEEP_ALIVE=12h",
            f"{read_in}:2:OLLAMA_DEBUG=1",
        ]
    )
    times = {path: at for at, _, path in (line.partition(" ") for line in lines[end + 1 :])}
    assert float(times[str(start)]) <= float(times["/proc/self"])
    assert {str(unit), str(own), f"{tmp_path}/a.env", str(read_in), str(program)} <= times.keys()


def test_what_it_prints_is_what_is_judged(tmp_path: Path) -> None:
    unit, own = tmp_path / "ollama.service", tmp_path / "ollama.service.d" / "zzz.conf"
    own.parent.mkdir()
    unit.write_text("[Service]\nExecStart=/usr/bin/ollama serve\n")
    own.write_text(f"[Service]\n# mine\nEnvironmentFile={tmp_path}/own\n")
    (tmp_path / "own").write_text("\n\nOLLAMA_KEEP_ALIVE = 24h\n")
    world = World(service={"LoadState": "loaded", "MainPID": "1", "FragmentPath": str(unit)})
    output = world.probe()
    start = output.index("== settings")
    output[start : start + 2] = printed(unit, [own], f"{tmp_path}/own", "/usr/bin/ollama serve")
    [it] = conflicts({"OLLAMA_KEEP_ALIVE": "-1"}, (), parse_probe(output), paths.DROP_IN, paths.ENVIRONMENT)
    assert (it.where, it.found) == (f"{tmp_path}/own:3", "that it sets OLLAMA_KEEP_ALIVE=24h")


def test_what_is_named_by_a_link_is_read(tmp_path: Path) -> None:
    unit, start, file, log = (tmp_path / it for it in ("ollama.service", "start.sh", "own.env", "log"))
    (tmp_path / "real.sh").write_text("export OLLAMA_KEEP_ALIVE=12h\n")
    (tmp_path / "real.env").write_text("OLLAMA_KEEP_ALIVE=24h\n")
    (tmp_path / "big").write_text("x\n" * 40000 + "OLLAMA_KEEP_ALIVE=1\n")
    for link, to in ((start, "real.sh"), (file, "real.env"), (log, "big")):
        link.symlink_to(to)
    unit.write_text(f"[Service]\nEnvironmentFile={file}\nExecStart=/bin/sh {start} {log}\n")
    lines = printed(unit, [], str(file), f"/bin/sh {start} {log}")
    assert [it for it in lines if it.startswith(str(tmp_path)) and "OLLAMA_" in it] == [
        f"{file}:1:OLLAMA_KEEP_ALIVE=24h",
        f"{start}:1:export OLLAMA_KEEP_ALIVE=12h",
    ]


@pytest.mark.parametrize(
    "line", ["export $(grep -v '^#' {} | xargs)", "exec env $(cat {}) ollama serve", "set -a; export $(cat '{}')"]
)
def test_what_a_script_gives_to_export_is_read_and_judged(tmp_path: Path, line: str) -> None:
    unit, start, file = (tmp_path / it for it in ("ollama.service", "start.sh", "own.env"))
    start.write_text(f"#!/bin/sh\nTOKEN=$(cat /nowhere)\n{line.format(file)}\n")
    file.write_text("TOKEN=of-mine\nOLLAMA_KEEP_ALIVE=24h\n")
    unit.write_text(f"[Service]\nExecStart={start}\n")
    lines = printed(unit, [], "", str(start))
    assert [it for it in lines if it.startswith((str(start), str(file)))] == [
        f"{start}:3:{line.format(file)}",
        f"{file}:2:OLLAMA_KEEP_ALIVE=24h",
    ]
    world = World(service={"LoadState": "loaded", "MainPID": "1", "FragmentPath": str(unit)})
    output = world.probe()
    at = output.index("== settings")
    output[at : at + 2] = lines
    [it] = conflicts({"OLLAMA_KEEP_ALIVE": "-1"}, (), parse_probe(output), paths.DROP_IN, paths.ENVIRONMENT)
    assert (it.where, it.found) == (f"{file}:2", "that it sets OLLAMA_KEEP_ALIVE=24h")
