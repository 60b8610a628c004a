"""What is on a host has the least rights that work. What runs there is looked at in test_metrics.py."""

from __future__ import annotations

import shlex

import pytest

from tests.lab.fleet import Host, Project

SECRET = (
    "/etc/ollama/modelfiles /run/ollama-slots /run/ollama-slots.lock "
    "/usr/share/ollama/.ollama/models/.ollama-slots"
)
OURS = (
    "/etc/systemd/system/ollama.service.d /etc/ollama /etc/systemd/system/ollama-warmup.service "
    f"/usr/local/lib/ollama-slots /var/lib/ollama-slots /var/lib/private/ollama-warmup {SECRET}"
)
NOBODY = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
# A command, and whether it works with the rights of another service, and with those of the warm-up.
RIGHTS = {
    "curl -q -sS --max-time 2 http://127.0.0.1:11434/api/version": (True, True),
    "curl -q -sS --max-time 2 http://10.79.0.1:5000/": (True, False),
    "nvidia-smi": (True, False),
    # As what runs with full rights in the unit: it sees the devices, and DevicePolicy= binds it all the same.
    "--property=PrivateDevices=no nvidia-smi": (True, False),
}


def test_nobody_else_writes_what_is_ours_or_reads_what_is_not_for_him(project: Project, gpu1: Host) -> None:
    gpu1.run("rm /run/ollama-slots.lock")  # where an earlier version may have made it
    assert project.deploy("slot1_system=Xyzzy and no more.").code == 0
    assert gpu1.out(f"find {OURS} -perm /6022 ! -type l") == ""
    assert gpu1.out(f"find {SECRET} -maxdepth 0 -perm /077") == ""
    found = gpu1.run(f"{NOBODY} grep -rl Xyzzy /etc /run /var/lib /tmp 2>/dev/null", check=False)
    assert found.stdout == ""


def hardening(host: Host) -> str:
    """The options that give a command of systemd-run the hardening of the warm-up unit."""
    unit = host.out("cat /etc/systemd/system/ollama-warmup.service").partition("DynamicUser=yes\n")[2]
    lines = unit.partition("\n\n")[0].splitlines()
    assert "IPAddressDeny=any" in lines
    return shlex.join(f"--property={line}" for line in lines)


@pytest.mark.parametrize("command", RIGHTS)
def test_the_warm_up_may_talk_to_ollama_and_to_nothing_else(project: Project, gpu1: Host, command: str) -> None:  # noqa: ARG001
    """Where a host only shows such a setting and does not enforce it, what depends on it is not seen to break."""
    run = "systemd-run --quiet --wait --collect --property=DynamicUser=yes"
    works = tuple(
        gpu1.run(f"{run} {options} {command}", check=False).returncode == 0 for options in ("", hardening(gpu1))
    )
    assert works == RIGHTS[command]
