"""Ollama is asked where it is, past what the owner has for the way out; what a host lacks is said at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.hosts import ssh
from tests.lab.fleet import SLOTS, Host, Project, model, until

ONE = ("-y", "--limit", "gpu1")
DROP_IN = "/etc/systemd/system/ollama.service.d/zz-owner.conf"
DEAD = "http://10.79.0.250:3128"  # nobody has this address
PROXY = "".join(f"{name}={DEAD}\\n" for name in ("http_proxy", "https_proxy", "ALL_PROXY"))
BOOT = "cat /proc/sys/kernel/random/boot_id"


def reboot(host: Host) -> None:
    """Reboots a host until its warm-up is over; where its Ollama listens is not asked."""
    before = ssh(host.name, BOOT).stdout
    ssh(host.name, "systemctl reboot")
    until("it has booted anew", lambda: ssh(host.name, BOOT).stdout not in ("", before), every=1)
    host.warmed_up()


def assert_deployed_booted_as_declared_and_verified(project: Project, host: Host, slot1: str) -> None:
    data = f"slot1_model={model(slot1)}"
    run = project.deploy(data, options=ONE)
    assert run.code == 0, run.output
    assert len(run.lines("gpu1", " yes")) == len(SLOTS), run.output
    reboot(host)
    assert host.active("ollama-warmup") == "active", host.out("systemctl status ollama-warmup || true")
    for tasks in ("tasks/status.py", "deploy.py"):
        run = project.deploy(data, tasks=tasks, options=ONE)
        assert (run.code, run.changes) == (0, 0), run.output
    with (project.path / "inventory.py").open("a") as inventory:
        inventory.write(f'\nlab = [("gpu1", {{"slot1_model": "{model(slot1)}"}})]\n')
    code, _, said = project.verify()
    assert code == 0, said


def test_a_proxy_is_for_the_way_out(project: Project, gpu1: Host) -> None:
    gpu1.run(f"printf '{PROXY}' >>/etc/environment; echo 'proxy = {DEAD}' >/root/.curlrc")
    try:
        plain = ssh("gpu1", "env; curl -s --max-time 5 http://127.0.0.1:11434/api/version")
        assert "version" not in plain.stdout, "the proxy is not in force"
        assert plain.stdout.count(DEAD) == 3
        assert_deployed_booted_as_declared_and_verified(project, gpu1, "smollm2-chat:135m")
    finally:
        gpu1.run("sed -i /proxy=/Id /etc/environment; rm /root/.curlrc")


@contextmanager
def listening(host: Host, at: str) -> Iterator[None]:
    """Ollama as its owner has set it to listen."""
    host.run(f"printf '[Service]\\nEnvironment=\"OLLAMA_HOST={at}\"\\n' >{DROP_IN}")
    host.run("systemctl daemon-reload; systemctl restart ollama")
    try:
        yield
    finally:
        host.run(f"rm {DROP_IN}; systemctl daemon-reload; systemctl restart ollama", check=False)


@pytest.mark.parametrize("at", ["127.0.0.1:8080", "10.79.0.11", "[::]:12434"])
def test_ollama_is_asked_where_it_listens(project: Project, gpu1: Host, at: str) -> None:
    with listening(gpu1, at):
        assert_deployed_booted_as_declared_and_verified(project, gpu1, "smollm2-chat:135m")


def test_an_address_that_is_given_and_another_at_which_it_listens_are_both_named(
    project: Project, gpu1: Host
) -> None:
    with listening(gpu1, "127.0.0.1:8080"):
        given = ("ollama_url=http://127.0.0.1:11434", "api_seconds=3")
        run = project.deploy(*given, options=ONE)
        assert run.code == 1
        assert run.lines("http://127.0.0.1:11434, the ollama_url", "http://127.0.0.1:8080"), run.output
        run = project.deploy(*given, tasks="tasks/status.py", options=ONE)
        assert run.code == 1
        assert run.lines("http://127.0.0.1:11434, the ollama_url", "http://127.0.0.1:8080"), run.output


def test_a_status_does_not_start_ollama_and_a_warm_up_does(project: Project, gpu1: Host) -> None:
    gpu1.run("systemctl stop ollama")
    run = project.deploy(tasks="tasks/status.py", options=ONE)
    assert run.code == 1
    assert not run.lines("content as declared"), run.output
    run = project.deploy(tasks="tasks/warmup.py", options=ONE)
    assert run.code == 0, run.output
    assert gpu1.resident(*SLOTS)


TASKS = ("deploy.py", "tasks/status.py", "tasks/prune.py")


@pytest.mark.parametrize(
    ("data", "break_it", "mend_it", "said"),
    [
        ("ssh_user=admin", "true", "true", "needs root on the host, found user admin: set _sudo = True"),
        (
            "slot1_num_ctx=8192",
            "mv /usr/bin/flock /usr/bin/flock.away",
            "mv /usr/bin/flock.away /usr/bin/flock",
            "needs flock on the host, found none: install util-linux (Debian), util-linux (Red Hat)",
        ),
    ],
)
def test_what_a_host_lacks_is_said_at_once(
    project: Project, gpu1: Host, figures: list[str], data: str, break_it: str, mend_it: str, said: str
) -> None:
    gpu1.run(break_it)
    try:
        for tasks in TASKS:
            start = time.monotonic()
            run = project.deploy(data, tasks=tasks, options=ONE)
            figures.append(f"{said}: {tasks} said so after {time.monotonic() - start:.1f} s")
            assert time.monotonic() - start < 30
            assert run.code == 1
            assert len(run.lines("gpu1", said)) == 1, run.output
    finally:
        gpu1.run(mend_it)


def assert_rotates_as_admin(project: Project) -> None:
    data = ("ssh_user=admin", "_sudo=true", f"slot1_model={model('smollm2-chat:135m')}")
    run = project.deploy(*data, options=ONE)
    assert run.code == 0, run.output
    assert len(run.lines("gpu1", " yes")) == len(SLOTS), run.output


def test_red_hats_sudo_does_not_know_usr_local(project: Project, gpu1: Host) -> None:
    path = "/etc/sudoers.d/path"
    gpu1.run(f"echo 'Defaults secure_path = /sbin:/bin:/usr/sbin:/usr/bin' >{path}")
    try:
        assert "/usr/local" not in gpu1.out("su admin -c 'sudo sh -c \"command -v ollama nvidia-smi\"' || true")
        assert_rotates_as_admin(project)
    finally:
        gpu1.run(f"rm {path}")


# A wrapper that is called what it is, in the place of Debian 11's own curl 7.74.
OLD_CURL = """#!/bin/sh
# Simulates a curl of before 7.76.
for option; do
    case $option in --fail-with-body) echo "curl: option --fail-with-body: is unknown" >&2; exit 2 ;; esac
done
exec /usr/bin/curl.new "$@"
"""


def test_a_curl_of_before_7_76(project: Project, gpu1: Host) -> None:
    gpu1.run(
        f"mv /usr/bin/curl /usr/bin/curl.new; cat >/usr/bin/curl <<'END'\n{OLD_CURL}END\nchmod 755 /usr/bin/curl"
    )
    try:
        assert gpu1.run("curl --fail-with-body localhost", check=False).returncode == 2
        assert_rotates_as_admin(project)
    finally:
        gpu1.run("mv /usr/bin/curl.new /usr/bin/curl")


def test_a_start_script_and_a_program_that_was_replaced(project: Project, gpu1: Host) -> None:
    """The unit's own process is a shell then, and the program of the one that serves is no file any more."""
    script = "export OLLAMA_HOST=127.0.0.1:8090; cp /usr/local/bin/ollama /run/own; /run/own/ollama serve; exit"
    start = f'ExecStart=\\nExecStart=/bin/sh -c "{script}"\\nRuntimeDirectory=own'
    gpu1.run("mkdir -p /run/lib && ln -sfn /usr/local/lib/ollama /run/lib/ollama")
    gpu1.run(f"printf '[Service]\\n{start}\\n' >{DROP_IN}")
    gpu1.run("systemctl daemon-reload && systemctl restart ollama")
    try:
        until("it serves", lambda: not gpu1.run("curl -fs localhost:8090/api/version", check=False).returncode)
        gpu1.run("rm /run/own/ollama; mv /usr/local/bin/ollama /usr/local/bin/ollama.away")
        run = project.deploy(f"slot1_model={model('smollm2-chat:135m')}", tasks="tasks/models.py", options=ONE)
        assert run.code == 0, run.output
    finally:
        gpu1.run("mv /usr/local/bin/ollama.away /usr/local/bin/ollama", check=False)
        gpu1.run(f"rm -r {DROP_IN} /run/lib; systemctl daemon-reload; systemctl restart ollama", check=False)
