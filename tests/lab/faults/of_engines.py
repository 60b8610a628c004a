"""An Ollama that is killed, stopped, not there, or in somebody's way."""

from __future__ import annotations

from subprocess import Popen

from lab import registry
from tests.lab.faults.fault import Stage, fault
from tests.lab.fleet import BACK_SECONDS, LOCK, REGISTRY, SLOTS, STORE, Host, catch, holds, model, until
from tests.lab.hold import held, silent, waits

OTHER = model("smollm2-chat:135m")  # which no slot has
PROCESS = "systemctl show -p MainPID --value ollama"


def kill(host: Host) -> None:
    """Kills the server; systemd starts it again."""
    host.run(f"kill -9 $({PROCESS})")


def hot(host: Host) -> None:
    """Waits until Ollama, which was killed, has been started again, and the warm-up that came with it is over."""
    since = "systemctl show --value -p ActiveEnterTimestampMonotonic"

    def over() -> bool:
        both = host.active("ollama") == host.active("ollama-warmup") == "active"
        return both and int(host.out(f"{since} ollama-warmup")) > int(host.out(f"{since} ollama"))

    until("the warm-up is over", over, BACK_SECONDS)


@fault(0, "start Ollama: it is not running", loses=True)
def stopped(stage: Stage) -> None:
    """Ollama is stopped."""
    stage.gpu1.run("systemctl stop ollama")
    stage.deploy()


@fault(1, "slot coding-primary: .*", loses=True)
def killed_in_the_making(stage: Stage) -> None:
    """Ollama is killed in a rotation, its candidate not made yet."""
    stage.gpu1.api("/api/pull", {"model": OTHER, "insecure": True, "stream": False})  # or its record waits first
    asked = "ss -tnpH state established dport = :11434 | grep -qE '\"(curl|exe)\"'"

    with held(stage.gpu1, LOCK, shared=True) as let_go:

        def go(_: Popen[str]) -> None:
            catch("a rotation waits", lambda: waits(stage.gpu1))
            with silent(stage.gpu1):
                let_go()
                catch("it asks Ollama", lambda: stage.gpu1.run(asked, check=False).returncode == 0)
                kill(stage.gpu1)

        stage.deploy(f"slot1_model={OTHER}", during=go)
    hot(stage.gpu1)


@fault(1, "slot coding-primary: .*", loses=True)
def killed_in_the_load(stage: Stage) -> None:
    """Ollama is killed in a rotation, its candidate being loaded."""
    weights = registry.weights(OTHER.removeprefix(f"{REGISTRY}/")).name.removeprefix("sha256:")
    with held(stage.gpu1) as let_go:

        def go(_: Popen[str]) -> None:
            catch("it is being loaded", lambda: stage.gpu1.run(holds(weights), check=False).returncode == 0)
            kill(stage.gpu1)
            let_go()  # for the warm-up

        stage.deploy(f"slot1_model={OTHER}", during=go)
    hot(stage.gpu1)


@fault(1, "slot coding-primary: .*|Ollama stopped answering|does not answer", loses=True)
def killed_after_the_switch(stage: Stage) -> None:
    """Ollama is killed in a rotation, its names just exchanged."""
    manifest = f"{STORE}/manifests/registry.ollama.ai/library/coding-primary/latest"
    before = stage.gpu1.out(f"sha256sum <{manifest}")
    switched = f'while [ "$(sha256sum <{manifest})" = "{before}" ]; do sleep 0.01; done'

    def go(_: Popen[str]) -> None:
        # On the host, for a look from here takes longer than what is left of the rotation.
        stage.gpu1.run(f"timeout 60 sh -c '{switched}' && kill -9 $({PROCESS})")

    stage.deploy(f"slot1_model={OTHER}", during=go)
    hot(stage.gpu1)


@fault(0, "yes$", loses=True)
def runner_killed(stage: Stage) -> None:
    """A slot's runner is killed."""
    weights = stage.gpu1.weights("backup")
    stage.gpu1.run(f"kill -9 $({holds(weights)})")
    stage.deploy()


@fault(1, "ollama.service.*(Exec|203|failed)|does not answer", loses=True)
def missing(stage: Stage) -> None:
    """Ollama is stopped, and its program is missing."""
    stage.gpu1.run("systemctl stop ollama && mv /usr/local/bin/ollama /usr/local/bin/ollama.away")
    try:
        stage.deploy("api_seconds=3")
    finally:
        stage.gpu1.run("mv /usr/local/bin/ollama.away /usr/local/bin/ollama")


@fault(1, "expected Ollama's ollama.service, found it not-found", loses=True)
def no_unit(stage: Stage) -> None:
    """Ollama has no unit."""
    unit = "/etc/systemd/system/ollama.service"
    stage.gpu1.run(f"systemctl stop ollama && mv {unit} {unit}.away && systemctl daemon-reload")
    try:
        stage.deploy()
    finally:
        stage.gpu1.run(f"mv {unit}.away {unit} && systemctl daemon-reload")


@fault(1, "Ollama does not answer", loses=True)
def port_taken(stage: Stage) -> None:
    """Another program has Ollama's port."""
    stage.gpu1.run(
        "systemctl stop ollama && systemd-run --quiet --unit=taker systemd-socket-activate -a --inetd "
        "-l 127.0.0.1:11434 printf 'HTTP/1.0 404 Not Observed\\r\\n\\r\\n'"
    )
    try:
        stage.deploy("api_seconds=3")
    finally:
        stage.gpu1.run("systemctl stop taker")


@fault(0, "yes$", loses=True)
def unloaded(stage: Stage) -> None:
    """Every slot is unloaded by hand."""
    for slot in SLOTS:
        stage.gpu1.run(f"ollama stop {slot}")
    stage.deploy()


@fault(1, "the candidate does not answer: ", again=False)
def a_model_that_cannot_load(stage: Stage) -> None:
    """The engine does not know the new model's architecture."""
    stage.deploy(f"slot1_model={model('unknown-arch:135m')}")


@fault(1, "GPU memory: expected .* found", gpu=True, again=False)
def too_small_a_gpu(stage: Stage) -> None:
    """The GPU is too small for what is declared."""
    stage.gpu1.run("echo 2048 >/etc/simulated-gpu")
    fifth = ("slot5_name=fifth", f"slot5_model={model('smollm2-spare:135m')}", "slot5_num_ctx=8192")
    sixth = ("slot6_name=sixth", f"slot6_model={model('smollm2-slow:135m')}", "slot6_num_ctx=8192")
    try:
        stage.deploy(*fifth, *sixth)
    finally:
        stage.gpu1.run("echo 24576 >/etc/simulated-gpu")


@fault(1, "GPU: expected one, as at the last deploy, found none when Ollama was started", loses=True, gpu=True)
def no_driver(stage: Stage) -> None:
    """Ollama was started before the GPU's driver, which does not come."""
    assert stage.project.deploy("api_seconds=10", options=("-y", "--limit", "gpu1")).code == 0
    stage.gpu1.run("mv /etc/simulated-gpu /etc/simulated-gpu.away && systemctl restart ollama")
    try:
        until("the warm-up is over", lambda: stage.gpu1.active("ollama-warmup") == "failed", 90)
        stage.deploy("api_seconds=10")
    finally:
        stage.gpu1.run("mv /etc/simulated-gpu.away /etc/simulated-gpu")
