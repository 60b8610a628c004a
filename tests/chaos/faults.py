"""What breaks while nobody deploys, or is broken by hand."""

from __future__ import annotations

from lab import disk, filesystem, hosts
from tests.chaos.seen import API, STATES, look
from tests.chaos.step import step
from tests.chaos.world import EVERYTHING, FILES, MEMORY, TRUTH, World
from tests.lab.fleet import BACK_SECONDS, SLOTS, STORE, until

PROCESS = "systemctl show -p MainPID --value ollama"
DROP_IN = "/etc/systemd/system/ollama.service.d/zz-ollama-slots.conf"
ENVIRONMENT = "/etc/ollama/ollama-slots.env"


def any_slot(world: World) -> str:
    """A slot that answers; the first, where none has to."""
    return world.random.choice(sorted(world.asked) or [SLOTS[0]])


def kill_ollama(world: World) -> None:
    """Kills the server; systemd starts it again, and with it the warm-up."""
    old = world.host.out(PROCESS)
    world.host.run(f"kill -9 {old}", check=False)
    until("Ollama is started again", lambda: world.host.out(PROCESS) not in ("0", old), BACK_SECONDS)
    world.shaken = True


def kill_runner(world: World) -> None:
    """Kills one of the processes that hold weights, if there is one."""
    number = world.random.randint(1, 4)
    pids = "ps -eo pid=,args= | awk '$2 == \"/opt/llama.cpp/llama-server\" { print $1 }'"
    world.host.run(f'pid=$({pids} | head -n {number} | tail -n 1); [ -z "$pid" ] || kill -9 $pid', check=False)
    world.shaken = True


def lose_power(world: World) -> None:
    """Takes the host's power away, and gives it back: without what is not synced, if its disk can lose that."""
    if all(filesystem.mounted(disk.path(world.host.name))):
        hosts.cut(world.host.name)
    else:
        hosts.stop(world.host.name)
        hosts.start(world.host.name)
    world.shaken = True


@step(3)
def ollama_killed(world: World) -> str:
    """What was hot is hot again without a deploy."""
    kill_ollama(world)
    return ""


@step(3)
def ollama_restarted(world: World) -> str:
    world.host.run("systemctl restart ollama")
    world.shaken = True
    return ""


@step(2)
def rebooted(world: World) -> str:
    hosts.reboot(world.host.name)
    world.shaken = True
    return ""


@step(3)
def ollama_stopped(world: World) -> str:
    """Until a deploy, or a person, starts it; a rollback and a clean-up say why they cannot."""
    world.host.run("systemctl stop ollama")
    world.shaken = True
    for tasks in ("tasks/rollback.py", "tasks/prune.py", "tasks/status.py"):
        if world.random.random() < 0.3:
            assert world.task(tasks, "prune=true").code == 1, "a host without Ollama fails"
    if world.random.random() < 0.5:
        world.host.run("systemctl start ollama")
        return "and started"
    first = world.task("deploy.py")
    assert first.code == 0, "the deploy starts it"
    world.deploy()
    return "and deployed"


@step(3)
def runner_killed(world: World) -> str:
    kill_runner(world)
    return world.leaves_memory()


@step(3)
def unloaded(world: World) -> str:
    slots = world.random.sample(SLOTS, world.random.randint(1, 4))
    world.host.run("; ".join(f"ollama stop {it}" for it in slots), check=False)
    return f"{', '.join(slots)}{world.leaves_memory()}"


@step(3)
def asked_otherwise(world: World) -> str:
    """A client asks with a window, or for a time, of its own."""
    slot = any_slot(world)
    options = '"options":{"num_predict":1'
    own = world.random.choice([f'{options},"num_ctx":1024}}', f'{options}}},"keep_alive":"5m"'])
    body = f'{{"model":"{slot}","prompt":"Hi","stream":false,{own}}}'
    world.host.run(f"curl -sS --max-time 60 -d '{body}' {API}/api/generate", check=False)
    return f"{slot} {own}{world.leaves_memory()}"


@step(4)
def weights_lost(world: World) -> str:
    slot, seen = any_slot(world), look(world.host)
    weights = seen.weights(slot)
    lost = [it for it in SLOTS if weights and seen.weights(it) == weights]
    world.host.run(f"rm -f {STORE}/blobs/sha256-{weights}")
    stopped = world.random.random() < 0.6
    if stopped:
        world.host.run(f"ollama stop {slot}", check=False)
    world.breaks(EVERYTHING, lost)
    return f"of {', '.join(lost)}{', unloaded' if stopped else ''}{world.maybe_heal()}"


@step(3)
def state_lost(world: World) -> str:
    slot = any_slot(world)
    world.host.run(f"rm -f {STATES}/{slot}.slot")
    world.breaks([TRUTH])
    world.said &= slot != SLOTS[3]
    return f"of {slot}{world.maybe_heal()}"


@step(3)
def state_corrupt(world: World) -> str:
    slot = any_slot(world)
    how = world.random.choice(["head -c 300 /dev/urandom", f"head -c 100 {STATES}/{slot}.slot", "printf ''"])
    world.host.run(f"{how} >/tmp/corrupt; mv /tmp/corrupt {STATES}/{slot}.slot", check=False)
    world.breaks([TRUTH])
    world.said &= slot != SLOTS[3]
    return f"of {slot} by {how.split()[0]} {how.split()[-1]}{world.maybe_heal()}"


@step(3)
def environment_edited(world: World) -> str:
    world.host.run(f"sed -i 's/KEEP_ALIVE=.*/KEEP_ALIVE=5m/' {ENVIRONMENT}", check=False)
    restarted = world.random.random() < 0.6
    if restarted:
        world.host.run("systemctl restart ollama")
        world.shaken = True
    world.breaks([MEMORY])
    return f"{'and Ollama restarted' if restarted else 'only'}{world.maybe_heal()}"


@step(4)
def stray_create(world: World) -> str:
    """Somebody makes a slot's variant anew, of another base."""
    slot = any_slot(world)
    bases = [base for it in SLOTS if (base := world.declared(it)) and base in world.host.made()]
    if not bases:
        return "of nothing"
    base = world.random.choice(bases)
    file = f"FROM {base}\\nPARAMETER num_ctx 2048\\n"
    world.host.run(
        f"printf '{file}' >/tmp/stray && ollama create {slot} -f /tmp/stray; rm /tmp/stray", check=False
    )
    world.breaks(EVERYTHING)
    world.said &= slot != SLOTS[3]
    return f"{slot} of {base.rpartition('/')[2]}{world.maybe_heal()}"


@step(2)
def name_removed(world: World) -> str:
    slot = any_slot(world)
    world.host.run(f"ollama rm {slot}", check=False)
    world.breaks(EVERYTHING, [slot])
    world.said &= slot != SLOTS[3]
    return f"{slot}{world.maybe_heal()}"


@step(2)
def files_removed(world: World) -> str:
    """Somebody takes the Modelfile, a file of Ollama's unit or the warm-up away."""
    slot = any_slot(world)
    file = world.random.choice(
        [
            f"/etc/ollama/modelfiles/{slot}.Modelfile",
            DROP_IN,
            ENVIRONMENT,
            "/etc/systemd/system/ollama-warmup.service",
            "/usr/local/lib/ollama-slots/ollama-warmup.sh",
        ]
    )
    world.host.run(f"rm -f {file} && systemctl daemon-reload")
    world.breaks([MEMORY, TRUTH])
    return f"{file}{world.maybe_heal()}"


@step(2)
def power_lost(world: World) -> str:
    lose_power(world)
    world.breaks([FILES])
    return world.maybe_heal()
