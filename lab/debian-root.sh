#!/bin/sh
# mmdebstrap runs this on the finished root ($1): what Ollama's own installer does to a host, less the download.
set -eu
lab=$(dirname "$0")

chroot "$1" useradd -r -s /bin/false -U -m -d /usr/share/ollama ollama
for group in render video; do
    if chroot "$1" getent group "$group" >/dev/null; then
        chroot "$1" usermod -a -G "$group" ollama
    fi
done
install -m 644 "$lab/ollama.service" "$1/etc/systemd/system/ollama.service"
chroot "$1" systemctl enable ollama

# A test starts it that wants it.
chroot "$1" systemctl disable prometheus-node-exporter

# Somebody who is not root.
chroot "$1" useradd -m -s /bin/sh admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >"$1/etc/sudoers.d/admin"

# Each host gets keys and an id of its own.
rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id" "$1/var/lib/dbus/machine-id"
