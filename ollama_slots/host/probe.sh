# Prints all that a deploy asks of a host in one go, in sections that probe.py reads. Changes nothing.
# Follows store.sh and settings.sh.
# Arguments: URL FILE...
url=$1
shift

readable() { # what a damaged file has that is no text, is left out
    LC_ALL=C tr -cd '[:print:]\n'
}

# serving PID: the process of Ollama itself; under a start script that does not exec, a child's.
serving() {
    program=$(readlink "/proc/$1/exe")
    case ${program##*/} in *ollama*) echo "$1" && return ;; esac
    children=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
    for child in $children; do
        serving "$child" && return
    done
    return 1
}

# Not in the middle of a rotation: what is read then would be acted on after its end.
(umask 077 && : >>/run/ollama-slots.lock) && exec 9>>/run/ollama-slots.lock
if ! flock -s -n 9; then
    echo "== busy"
    cat /run/ollama-slots.lock
    exit 0
fi

units=$(systemctl show --property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID,FragmentPath \
    ollama.service ollama-warmup.service)
echo "== units"
printf '%s\n' "$units"
pid=${units#*MainPID=}
pid=${pid%%[!0-9]*}
pid=$(serving "$pid" || echo "$pid")
echo "== environ"
tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep '^OLLAMA_'
echo "== gpu"
if command -v nvidia-smi >/dev/null || [ -e /dev/kfd ]; then echo yes; else echo no; fi
echo "== files"
sha256sum -- "$@" /etc/ollama/modelfiles/* 2>/dev/null
settings ollama.service | tr '\t' ' ' | readable
{
    echo "== states"
    grep -as '' /var/lib/ollama-slots/*.slot /var/lib/ollama-slots/previous/*.slot /dev/null
    echo "== bases" # that this tool pulled: see bases.sh
    grep -as '' /var/lib/ollama-slots/bases
} | readable
echo "== aside" # slots whose rotation died: see store.sh
store=$(model_store "$pid") && ls "$store/.ollama-slots" 2>/dev/null
# /api/ps goes on listing a runner that died until somebody asks for it: its process is the proof of life.
echo "== live"
grep -aoh 'sha256-[0-9a-f]\{64\}' /proc/[0-9]*/cmdline 2>/dev/null
echo "== api"
curl -s --max-time 30 -w '\n' "$url/api/version" "$url/api/tags" "$url/api/ps"
exit 0
