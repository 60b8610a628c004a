# What GPUs there are, as Ollama found them when it started: it goes by that until its next start.
# needs: ask

# found [START]: the lines in which it says so, each of one device, or of the CPU where there is none; nothing, where that
# is no longer known. By the start that runs now, which START is, where it is known: its log, which the journal forgets in
# time, or what was kept of it. Then, where none was a GPU and it was kept, whether the driver answered at that time.
found() {
    invocation=${1-$(readlink "$started")}
    [ -n "$invocation" ] || return 0
    {
        IFS= read -r of && [ "$of" = "$invocation" ] && while IFS= read -r line; do printf '%s\n' "$line"; done
    } 2>/dev/null <"$gpus_found" ||
        timeout 10 journalctl -q -o cat "_SYSTEMD_INVOCATION_ID=$invocation" 2>/dev/null | head -n 2000 |
        grep -a 'msg="inference compute"'
}

# driver SECONDS ARGUMENT...: what nvidia-smi says, and its exit status; 124 where it does not answer in time. One that
# waits for a driver may not even be killed, so nothing waits for it to end.
driver() {
    told=$(scratch) || return
    bound=$1
    shift
    # By a shell of its own: a fork of this one would hold what this one writes to open, and SSH would wait for it.
    # shellcheck disable=SC2016
    sh -c 'cd "$1" && shift && timeout -k 1 "$@" >said 2>complained; echo "$?" >code' sh \
        "$told" "$bound" nvidia-smi "$@" >/dev/null 2>&1 </dev/null 8>&- 9>&- & # it must not keep a lock either
    deadline=$(($(clock) + bound + 1))
    until [ -s "$told/code" ] || [ "$(clock)" -ge "$deadline" ]; do sleep 0.05; done
    code=''
    [ ! -s "$told/code" ] || read -r code <"$told/code"
    cat "$told/said"
    [ ! -s "$told/complained" ] || cat "$told/complained" >&2
    rm -rf "$told"
    [ "${code:-137}" = 137 ] && return 124
    return "$code"
}

# outside WHO COMMAND ARGUMENT...: what a command says that asks the driver, for a unit of ours that may open no device:
# by a unit of its own, which is quiet. That nothing waits for one that cannot be killed holds for a shutdown, too; while it
# is there, WHO has no other one beside it.
outside() {
    who=$1
    shift
    timeout 13 systemd-run --quiet --wait --collect --pipe --unit="$stem-slots-driver-$who" \
        --property=LogLevelMax=notice --property=DefaultDependencies=no --property=TimeoutStopSec=infinity \
        timeout -k 1 10 "$@"
}

# of_nvidia: whether it is this host's GPU that nvidia-smi speaks of: it is there, and not by a kernel with AMD's driver
# and without NVIDIA's.
of_nvidia() {
    command -v nvidia-smi >/dev/null && { [ -e "$proc/driver/nvidia" ] || [ ! -e "$kfd" ]; }
}

# cards: the name of each card that NVIDIA's driver has, a line each; fails where it does not answer.
cards() {
    named=$(driver 10 --query-gpu=name --format=csv,noheader 2>/dev/null) || return
    printf '%s\n' "$named" | grep .
}

# sees_none FOUND: whether it found no GPU, as far as is known.
sees_none() {
    while read -r line; do
        case $line in *library=cpu*) ;; *=*library=*) return 1 ;; esac
    done <<END
$1
END
}

# keep_found: keeps what it found, for as long as it runs.
keep_found() {
    said=$(found)
    [ -n "$said" ] && [ "$(sed -n 1p "$gpus_found" 2>/dev/null)" != "$(readlink "$started")" ] || return 0
    {
        readlink "$started"
        printf '%s\n' "$said"
        ! sees_none "$said" || ! cards >/dev/null || echo "driver answers"
    } >"$gpus_found.new" && mv "$gpus_found.new" "$gpus_found"
}
