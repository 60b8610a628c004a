"""Files, units and names that somebody changed by hand."""

from __future__ import annotations

from tests.lab.faults.fault import Stage, fault
from tests.lab.faults.of_engines import OTHER
from tests.lab.fleet import model

STATE = "/var/lib/ollama-slots/backup.slot"


@fault(0, "slot backup: .* made again: its state is unknown")
def lost(stage: Stage) -> None:
    """A slot's state file is lost."""
    stage.gpu1.run(f"rm {STATE}")
    stage.deploy()


@fault(0, "slot backup: .* made again: its state is unknown")
def corrupt(stage: Stage) -> None:
    """A slot's state file is corrupt."""
    stage.gpu1.run(f"head -c 300 /dev/urandom >{STATE}")
    stage.deploy()


@fault(0, "slot backup: .* made again: its state is unknown")
def cut_short(stage: Stage) -> None:
    """A slot's state file is cut short."""
    stage.gpu1.run(f"head -c 100 {STATE} >{STATE}.cut && mv {STATE}.cut {STATE}")
    stage.deploy()


@fault(0, "nothing|No change")
def newer(stage: Stage) -> None:
    """A slot's state file is of a newer version, with keys that this one does not know."""
    stage.gpu1.run(f"echo 'engine=llama.cpp' >>{STATE}")
    stage.deploy()


@fault(0, "Install and run ollama-warmup.service")
def masked(stage: Stage) -> None:
    """The warm-up unit is masked."""
    unit = "/etc/systemd/system/ollama-warmup.service"
    stage.gpu1.run(f"systemctl stop ollama-warmup && ln -sf /dev/null {unit} && systemctl daemon-reload")
    stage.deploy()


@fault(1, "expected Ollama's ollama.service, found it masked")
def engine_masked(stage: Stage) -> None:
    """Ollama's unit is masked while it runs."""
    unit = "/etc/systemd/system/ollama.service"
    stage.gpu1.run(f"mv {unit} {unit}.away && ln -s /dev/null {unit} && systemctl daemon-reload")
    try:
        stage.deploy()
    finally:
        stage.gpu1.run(f"mv {unit}.away {unit} && systemctl daemon-reload")


@fault(0, "restart Ollama: its process lacks OLLAMA_KEEP_ALIVE", loses=True)
def drop_in(stage: Stage) -> None:
    """The file of Ollama's environment is edited by hand, and Ollama restarted with it."""
    file = "/etc/ollama/ollama-slots.env"
    stage.gpu1.run(f"sed -i 's/KEEP_ALIVE=.*/KEEP_ALIVE=5m/' {file} && systemctl restart ollama")
    stage.deploy()


@fault(1, r"start-it:2: expected OLLAMA_KEEP_ALIVE=-1 to hold, found that it sets OLLAMA_KEEP_ALIVE=24h")
def start_script(stage: Stage) -> None:
    """Ollama is to be started by a script that sets what is declared otherwise."""
    script, file = "/usr/local/bin/start-it", "/etc/systemd/system/ollama.service.d/own.conf"
    text = "#!/bin/sh\\nexport OLLAMA_KEEP_ALIVE=24h\\nexec /usr/local/bin/ollama serve\\n"
    stage.gpu1.run(f"printf '{text}' >{script} && chmod 755 {script}")
    stage.gpu1.run(f"printf '[Service]\\nExecStart=\\nExecStart={script}\\n' >{file} && systemctl daemon-reload")
    try:
        stage.deploy("max_loaded_models=7")
    finally:
        stage.gpu1.run(f"rm {script} {file} && systemctl daemon-reload")


@fault(0, "slot backup: .* made again: it was changed by hand")
def stray(stage: Stage) -> None:
    """A slot's variant is made anew by hand."""
    modelfile = f"FROM {model('smollm2:135m')}\\nPARAMETER num_ctx 4096\\nSYSTEM Be rude.\\n"
    stage.gpu1.run(f"printf '{modelfile}' >/tmp/stray && ollama create backup -f /tmp/stray && rm /tmp/stray")
    stage.deploy()


@fault(0, "slot backup: .* made$", loses=True)
def removed(stage: Stage) -> None:
    """A slot's variant is removed by hand."""
    stage.gpu1.run("ollama rm backup")
    stage.deploy()


@fault(0, "slot coding-primary: .* in place of")
def foreign_next(stage: Stage) -> None:
    """Somebody else has a coding-primary:next; a rotation leaves it alone."""
    stage.gpu1.run("ollama cp backup coding-primary:next")
    theirs = stage.gpu1.made()["coding-primary:next"]
    stage.deploy(f"slot1_model={OTHER}")
    assert stage.gpu1.made()["coding-primary:next"] == theirs
    stage.gpu1.run("ollama rm coding-primary:next")
