"""What is on a host has the least rights that work. What runs there is looked at in test_metrics.py."""

from __future__ import annotations

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


def test_nobody_else_writes_what_is_ours_or_reads_what_is_not_for_him(project: Project, gpu1: Host) -> None:
    gpu1.run("rm /run/ollama-slots.lock")  # where an earlier version may have made it
    assert project.deploy("slot1_system=Xyzzy and no more.").code == 0
    assert gpu1.out(f"find {OURS} -perm /6022 ! -type l") == ""
    assert gpu1.out(f"find {SECRET} -maxdepth 0 -perm /077") == ""
    found = gpu1.run(f"{NOBODY} grep -rl Xyzzy /etc /run /var/lib /tmp 2>/dev/null", check=False)
    assert found.stdout == ""
