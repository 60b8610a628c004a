# Starts Ollama, or restarts it, and waits, bounded, until it answers.
# needs: ask gpus
# takes: verb url seconds
# verb: start or restart; url: nothing, where it is asked where it listens
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
