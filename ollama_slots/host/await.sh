# Starts Ollama, or restarts it, and waits, bounded, until it answers.
# needs: ask gpus
# takes: verb url seconds driver_seconds
# verb: start or restart; url: nothing, where it is asked where it listens; driver_seconds: the bound of an answer of the
# GPU's driver, without which Ollama is not restarted; nothing, where it has nothing in GPU memory to lose

# healthy: fails, having said what nvidia-smi says, where it is asked and does not answer.
healthy() {
    of_nvidia || return 0
    said=$(driver "$driver_seconds" -L 2>&1)
    status=$?
    case $status in
    0) return 0 ;;
    124) said="no answer in $driver_seconds s" ;;
    *) said=$(printf '%s\n' "${said:-exit status $status}" | grep -m 1 .) ;;
    esac
    echo "expected nvidia-smi to answer before Ollama is restarted, found: $said; reboot the host or reload the driver," \
        "then deploy again" >&2
    return 1
}

[ "$verb" = start ] || [ -z "$driver_seconds" ] || healthy || exit
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
