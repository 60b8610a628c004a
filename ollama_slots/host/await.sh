# Starts Ollama, or restarts it, and waits, bounded, until it answers.
# needs: ask gpus
# takes: verb url seconds driver_seconds
# verb: start or restart; url: nothing, where it is asked where it listens; driver_seconds: the bound of an answer of the
# GPU's driver, without which Ollama is not restarted; nothing, where it has nothing in GPU memory to lose

# driver: fails, having said what nvidia-smi says, where it is there and does not answer. One that waits for a driver
# may not even be killed, so nothing waits for it to end. By a kernel without NVIDIA's driver, but with AMD's, it is
# not this host's GPU that it speaks of.
driver() {
    command -v nvidia-smi >/dev/null || return 0
    [ -e "$proc/driver/nvidia" ] || [ ! -e "$kfd" ] || return 0
    told=$(mktemp -d) || return
    {
        timeout -k 1 "$driver_seconds" nvidia-smi -L >"$told/said" 2>&1
        echo "$?" >"$told/code"
    } >/dev/null 2>&1 </dev/null &
    end=$(($(clock) + driver_seconds + 1))
    until [ -s "$told/code" ] || [ "$(clock)" -ge "$end" ]; do sleep 0.05; done
    code=$(cat "$told/code" 2>/dev/null)
    said=$(grep -m 1 . "$told/said")
    rm -rf "$told"
    case $code in
    0) return 0 ;;
    '' | 124 | 137) said="no answer in $driver_seconds s" ;;
    *) said=${said:-exit status $code} ;;
    esac
    echo "expected nvidia-smi to answer before Ollama is restarted, found: $said; reboot the host or reload the driver," \
        "then deploy again" >&2
    return 1
}

[ "$verb" = start ] || [ -z "$driver_seconds" ] || driver || exit
systemctl "$verb" "$unit" || exit
end=$(($(clock) + seconds))
while :; do
    listens=$(listening "$(engine_pid)")
    asked=${url:-$listens}
    if [ -n "$asked" ] && (url=$asked && api 5 /api/version >/dev/null); then # what answers otherwise is not Ollama
        keep_found
        exit 0
    fi
    [ "$(clock)" -lt "$end" ] || break
    sleep 0.2
done
[ "$asked" = "$listens" ] || asked="$asked, the ollama_url (its process listens ${listens:+at }${listens:-nowhere}),"
echo "Ollama does not answer${asked:+ at $asked} after $seconds s: see journalctl -u ${unit%.service}" >&2
exit 1
