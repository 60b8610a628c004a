# Waits, bounded, until Ollama, which was just started, answers. Follows ask.sh.
# Arguments: URL (nothing: where it listens) SECONDS
end=$(($(clock) + $2))
while :; do
    listens=$(listening "$(engine_pid)")
    url=${1:-$listens}
    [ -z "$url" ] || ! api 5 /api/version >/dev/null || exit 0 # what answers otherwise is not Ollama
    [ "$(clock)" -lt "$end" ] || break
    sleep 0.2
done
[ "$url" = "$listens" ] || url="$url, where ollama_url has it (it listens ${listens:+at }${listens:-nowhere}),"
echo "Ollama does not answer${url:+ at $url} after $2 s: see journalctl -u ollama" >&2
exit 1
