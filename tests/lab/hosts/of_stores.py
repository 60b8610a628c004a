"""Where an owner keeps the models."""

from __future__ import annotations

from tests.lab.fleet import STORE
from tests.lab.hosts.flavour import OWN, RESTART, UNDO, UNITS, flavour, unit, write

AWAY = "/srv/models"
MOVE = f"systemctl stop ollama; mv {STORE} {AWAY}\n"
BACK = f"systemctl stop ollama; rm -rf {STORE}; mv {AWAY} {STORE}"
# A host has no devices of its own for a disk in a file.
DISK = """systemctl stop ollama
for it in $(seq 0 31); do [ -e /dev/loop$it ] || mknod /dev/loop$it b 7 $it; done
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
truncate -s 6G /srv/disk
mkfs.ext4 -q /srv/disk
mkdir -p /mnt/disk
mount -o loop /srv/disk /mnt/disk
"""
NO_DISK = "umount /mnt/disk; rm /srv/disk"

flavour(
    "The models behind a link",
    f"{MOVE}ln -s {AWAY} {STORE}\n{RESTART}",
    undo=f"{BACK}; {RESTART}",
)
flavour(
    "The models on another disk",
    f"{DISK}cp -a {STORE}/. /mnt/disk/; chown ollama: /mnt/disk; mount --bind /mnt/disk {STORE}\n{RESTART}",
    undo=f"systemctl stop ollama; umount {STORE}; cp -au /mnt/disk/. {STORE}/; {NO_DISK}; {RESTART}",
)
flavour(
    "The blobs behind a link to another disk",
    f"{DISK}mv {STORE}/blobs /mnt/disk/; ln -s /mnt/disk/blobs {STORE}/blobs\n{RESTART}",
    undo=f"systemctl stop ollama; rm {STORE}/blobs; mv /mnt/disk/blobs {STORE}/; {NO_DISK}; {RESTART}",
)
flavour(
    "BindPaths=: root sees another directory of models than Ollama",
    f"{MOVE}mkdir {STORE}; chown ollama: {STORE}\n" + unit(f"BindPaths={AWAY}:{STORE}"),
    undo=f"rm {OWN}; {BACK}; {RESTART}",
)
flavour(
    "A start script that exports OLLAMA_MODELS",
    MOVE
    + write("/usr/local/bin/start-it", "#!/bin/sh", f"export OLLAMA_MODELS={AWAY}", "ollama serve", mode="755")
    + unit("ExecStart=", "ExecStart=/usr/local/bin/start-it"),
    undo=f"rm {OWN} /usr/local/bin/start-it; {BACK}; {RESTART}",
)
flavour(
    "OLLAMA_MODELS in the unit, behind a directory that only ollama may enter",
    f"systemctl stop ollama; mkdir -p /srv/closed; mv {STORE} /srv/closed/models\n"
    "chown ollama: /srv/closed; chmod 700 /srv/closed\n" + unit("Environment=OLLAMA_MODELS=/srv/closed/models"),
    undo=f"systemctl stop ollama; mv /srv/closed/models {STORE}; {UNDO}",
)
LATE = f"{UNITS}/late.service"
flavour(
    "The models on a disk that comes a minute late at boot",
    f"{MOVE}mkdir {STORE}; chown ollama: {STORE}\n"
    # As by the default, which is more than the table's.
    "sed -i 's/^api_seconds=.*/api_seconds=120/' /usr/local/lib/ollama-slots/ollama-warmup.sh\n"
    f"sed -i 's/^TimeoutStartSec=.*/TimeoutStartSec=600/' {UNITS}/ollama-warmup.service\n"
    + write(
        LATE,
        "[Service]",
        f"ExecStart=/bin/sh -c 'sleep 60; mount --bind {AWAY} {STORE}'",
        "RemainAfterExit=yes",
        "[Install]",
        "WantedBy=multi-user.target",
    )
    + "systemctl daemon-reload; systemctl enable -q late",
    undo=f"systemctl disable -q late; rm {LATE}; systemctl stop ollama; umount {STORE}; {BACK}; {RESTART}",
    boots=True,
)
