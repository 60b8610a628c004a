"""Who logs in, and with what."""

from __future__ import annotations

from tests.lab.hosts.flavour import UNITS, flavour, write

ADMIN = {"ssh_user": "admin"}
SUDO = {**ADMIN, "_sudo": True}
NOTHING = "true"
WARM_UP = f"{UNITS}/ollama-warmup.service.d/lxc.conf"
WARM_UP_UNDO = f"rm -r {UNITS}/ollama-warmup.service.d; systemctl daemon-reload; systemctl restart ollama-warmup"

flavour(
    "A user who is not root, and no `_sudo`",
    NOTHING,
    undo=NOTHING,
    own=ADMIN,
    code=1,
    says="needs root on the host, found user admin: set _sudo = True",
)
flavour("A user who is not root, and `_sudo = True`", NOTHING, undo=NOTHING, own=SUDO)
flavour(
    "The same with Red Hat's secure_path, Ollama in /usr/local/bin",
    write("/etc/sudoers.d/path", "Defaults secure_path = /sbin:/bin:/usr/sbin:/usr/bin", mode="440"),
    undo="rm /etc/sudoers.d/path",
    own=SUDO,
)
flavour(
    "A curl of before 7.76, without --fail-with-body",
    "mv /usr/bin/curl /usr/bin/curl.new\n"
    + write(
        "/usr/bin/curl",
        "#!/bin/sh",
        "# Simulates a curl of before 7.76.",
        "for option; do case $option in --fail-with-body)",
        '    echo "curl: option $option: is unknown" >&2; exit 2',
        ";; esac; done",
        'exec /usr/bin/curl.new "$@"',
        mode="755",
    ),
    undo="mv /usr/bin/curl.new /usr/bin/curl",
    walks=True,
)
flavour(
    "A .bashrc that begins with `echo Welcome`",
    "cp -p /root/.bashrc /root/.bashrc.away; sed -i '1i echo Welcome to $(hostname); echo' /root/.bashrc",
    undo="mv /root/.bashrc.away /root/.bashrc",
)
flavour("A pty for each command: `_get_pty = True`", NOTHING, undo=NOTHING, own={"_get_pty": True})
flavour(
    "A pty, with sudo",
    NOTHING,
    undo=NOTHING,
    own={**SUDO, "_get_pty": True},
)
flavour(
    "fish as root's login shell",
    "usermod -s /usr/bin/fish root",
    undo="usermod -s /bin/bash root",
    needs="fish",
)
flavour(
    "A warm-up unit that may not be sandboxed, as in an unprivileged LXC: 226/NAMESPACE",
    write(WARM_UP, "[Service]", "BindPaths=/nowhere")
    + "systemctl daemon-reload; systemctl restart ollama-warmup || true",
    undo=WARM_UP_UNDO,
    code=1,
    says="in its sandbox, found that this host refuses it .*226/NAMESPACE",
)
flavour(
    "A warm-up unit that gets no user of its own: 217/USER",
    write(WARM_UP, "[Service]", "DynamicUser=no", "User=nosuchuser")
    + "systemctl daemon-reload; systemctl restart ollama-warmup || true",
    undo=WARM_UP_UNDO,
    code=1,
    says="in its sandbox, found that this host refuses it .*217/USER",
)
# The kernel's filesystems all have hard links here.
flavour(
    "No hard links, as on vfat",
    "mv /usr/bin/ln /usr/bin/ln.away\n"
    + write(
        "/usr/bin/ln",
        "#!/bin/sh",
        "# Simulates a filesystem without hard links.",
        'case " $* " in *" -s"*) exec /usr/bin/ln.away "$@" ;; esac',
        'echo "ln: failed to create hard link: Operation not permitted" >&2; exit 1',
        mode="755",
    ),
    undo="mv /usr/bin/ln.away /usr/bin/ln",
    walks=True,
)
