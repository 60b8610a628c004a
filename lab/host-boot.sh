#!/bin/bash
# Boots a host, and boots it again whenever it reboots. This is process 1 of a PID namespace and has a mount namespace
# of its own: with it, and with whatever is killed here first, the whole host goes, and its mounts.
set -eu
# Arguments: NAME NETNS LAYERS DISK, and OPTIONS and IMAGE of a filesystem that the disk is on, or two empty ones
name=$1 netns=$2 layers=$3 disk=$4 options=$5 image=$6

# /sys is a fresh one here, without cgroups. Each host has one of its own, or their units would share them.
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$netns"
echo $$ >"/sys/fs/cgroup/$netns/cgroup.procs"
# nspawn's own directory must not be shared: it stays busy for the next start ("Attempted to remove disk file system").
mkdir -p /run/systemd/nspawn
mount -t tmpfs none /run/systemd/nspawn
# The GPU's device for the simulated nvidia-smi to open: any will do that DevicePolicy=closed does not leave to a unit,
# and that everybody may open for writing. This is /dev/kmsg.
mknod -m 666 /run/systemd/nspawn/gpu c 1 11
written=$disk
if [ -n "$image" ]; then
    written=$disk/own
    mount -o "$options" "$image" "$written"
fi
mount -t overlay none -o "lowerdir=$layers,upperdir=$written/changes,workdir=$written/work" "$disk/root"

# bpf: systemd enforces IPAddressDeny= and DevicePolicy= of a unit with it; nspawn forbids it, and a host would only
# seem to have them.
while :; do
    status=0
    systemd-nspawn --quiet --register=no --keep-unit --machine="$name" --resolv-conf=off \
        --network-namespace-path="/run/netns/$netns" --system-call-filter=bpf \
        --bind=/run/systemd/nspawn/gpu:/dev/nvidiactl --boot -D "$disk/root" || status=$?
    # 133: the host asked for a reboot
    [ "$status" = 133 ] || exit "$status"
done
