# How long until every slot is in memory, measured on the host itself. The library engine goes before it.
# Arguments: watch          waits for Ollama's API as it comes up, and for the warm-up unit
#            restart        restarts Ollama, and then watches
#            loads ORDER... restarts Ollama without the unit, and loads these, one after the other
#            parallel ORDER... the same, all at once
# Prints seconds since the API's first answer: until /api/ps has every slot, and until every slot has answered, which
# for the unit is that it has proven them.
set -u
url=http://127.0.0.1:11434
keep_alive=-1 load_seconds=120
how=$1
shift

clock() { # milliseconds
    date +%s%3N
}

wait_for() { # wait_for COMMAND...: bounded
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || { echo "still not: $*" >&2; exit 1; }
        sleep 0.04
    done
}

answers() { curl -fs --max-time 5 -o /dev/null "$url/api/version"; }

listed() { [ "$(curl -fs --max-time 5 "$url/api/ps" | grep -o '"digest":' | wc -l)" = "$count" ]; }

warm() { [ "$(systemctl is-active ollama-warmup.service)" = active ]; }

load() { answer "$1:latest" '' >/dev/null; }

one_by_one() {
    for name in "$@"; do load "$name" || exit; done
}

at_once() {
    pids=''
    for name in "$@"; do load "$name" & pids="$pids $!"; done
    for pid in $pids; do wait "$pid" || exit; done
}

case $how in
watch) ;;
restart) systemctl restart ollama.service ;;
*)
    systemctl stop ollama-warmup.service
    systemctl mask --quiet --runtime ollama-warmup.service
    systemctl restart ollama.service
    trap 'systemctl unmask --quiet --runtime ollama-warmup.service' EXIT
    ;;
esac
count=$(slots | wc -l)
wait_for answers
start=$(clock)
case $how in
loads) one_by_one "$@" & ;;
parallel) at_once "$@" & ;;
esac
loading=${!-}
wait_for listed
in_memory=$(clock)
if [ -n "$loading" ]; then wait "$loading" || exit; else wait_for warm; fi
echo "$((in_memory - start)) $(($(clock) - start))"
