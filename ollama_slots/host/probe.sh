# Prints all that a deploy asks of a host in one go, in sections that probe.py reads. Changes nothing.
# Arguments: URL FILE...
url=$1
shift

readable() { # what a damaged file has that is no text, is left out
    LC_ALL=C tr -cd '[:print:]\n'
}

# Not in the middle of a rotation: what is read then would be acted on after its end.
(umask 077 && : >>/run/ollama-slots.lock) && exec 9>>/run/ollama-slots.lock
if ! flock -s -n 9; then
    echo "== busy"
    cat /run/ollama-slots.lock
    exit 0
fi

units=$(systemctl show --property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID \
    ollama.service ollama-warmup.service)
echo "== units"
printf '%s\n' "$units"
pid=${units#*MainPID=}
pid=${pid%%[!0-9]*}
echo "== environ"
tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep '^OLLAMA_'
echo "== gpu"
if command -v nvidia-smi >/dev/null || [ -e /dev/kfd ]; then echo yes; else echo no; fi
echo "== files"
sha256sum -- "$@" /etc/ollama/modelfiles/* 2>/dev/null
{
    echo "== states"
    grep -as '' /var/lib/ollama-slots/*.slot /var/lib/ollama-slots/previous/*.slot /dev/null
    echo "== bases" # that this tool pulled: see bases.sh
    grep -as '' /var/lib/ollama-slots/bases
} | readable
# /api/ps goes on listing a runner that died until somebody asks for it: its process is the proof of life.
echo "== live"
grep -aoh 'sha256-[0-9a-f]\{64\}' /proc/[0-9]*/cmdline 2>/dev/null
echo "== api"
curl -s --max-time 30 -w '\n' "$url/api/version" "$url/api/tags" "$url/api/ps"
exit 0
