# Prints all that a deploy needs to know of a host, in sections. Changes nothing.
# needs: beside settings showing since
# takes: url tools shows declared
# lists: MODEL...
# url: nothing, where Ollama is asked where it listens; tools: that the scripts use; shows (yes|no|new): whether what each
# MODEL is made of is printed, too; new: where one of the declared slots is

readable() { # what a damaged file has that is no text, is left out
    LC_ALL=C sed 's/\t/ /g; s/[^[:print:]]//g'
}

echo "== lacks"
missing=$(
    for tool in $tools; do command -v "$tool" >/dev/null || echo "$tool"; done
    [ -d "$runtime_units" ] || echo systemd
    [ "$(id -u)" = 0 ] || echo "root $(id -un)"
)
if [ -n "$missing" ]; then
    printf '%s\n' "$missing" "== end"
    exit 0
fi

# Not in the middle of a rotation: what is read then would be acted on after its end.
(umask 077 && : >>"$lock") && exec 9>>"$lock"
if ! flock -s -n 9; then
    echo "== busy"
    cat "$lock"
    echo "== end"
    exit 0
fi

asked=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,MainPID,FragmentPath,DropInPaths,EnvironmentFiles,ExecStart
units=$(systemctl show --property="$asked" "$unit" "$warm_up" "$watch_timer" "$watcher")
echo "== units"
printf '%s\n' "$units"
shown=${units%%

*}
main=${shown#*MainPID=}
served=$(serving "${main%%[!0-9]*}")
pid=${served%% *} listens=${served#* }
echo "== environ"
environ=$(environ_of "$pid")
while IFS= read -r line; do
    case $line in OLLAMA_*=* | LLAMA_ARG_FIT*=*) printf '%s\n' "$line" ;; esac
done <<END
$environ
END
echo "== gpus"
start=$(readlink "$started")
of_start=$(found "$start")
printf '%s\n' "$of_start"
echo "== cards"
! sees_none "$of_start" || cards
echo "== installed" # whether that warm-up expects a GPU, and where it asks, which may have moved since
{
    while IFS= read -r line; do
        case $line in
        url=*) printf '%s\n' "$line" ;;
        gpu=*) printf '%s\n' "${line%% *}" && break ;;
        esac
    done
} 2>/dev/null <"$warm_up_script"
echo "== files"
sha256sum -- "$environment_file" "$drop_in" "$outdated_drop_in" "$warm_up_script" "$warm_up_unit" \
    "$watch_script" "$watch_unit" "$heal_unit" "$watch_timer_unit" \
    "$modelfiles"/* 2>/dev/null
# /api/ps goes on listing a runner that died until somebody asks for it: its process is the proof of life.
echo "== live"
weights_held "$pid"
echo "== asked" # where, where it listens, and the number of a given host that answers
printf '%s\n' "${url:-$listens}" "$listens"
[ -z "$url" ] || ask --max-time 5 -o /dev/null -w '%{remote_ip}\n' "$url/api/version" 2>/dev/null
url=${url:-$listens}
echo "== api"
answers=$([ -z "$url" ] || ask --max-time 30 -w '\n' "$url/api/version" "$url/api/tags" "$url/api/ps" 2>/dev/null)
printf '%s\n' "$answers"
store=''
! models=$(models_of "$pid" "$environ") || store=$(reach "$pid" "$models")
{
    echo "== since"
    since "$start"
    echo "== states" # and the bases that this tool pulled: see bases.sh
    grep -asH '' "$state_dir"/*.slot "$previous_states"/*.slot "$bases"
    echo "== store" # as the process that serves has it: see sees.sh
    contained "$pid" "${main%%[!0-9]*}" "$listens"
    [ -z "$store" ] || seen "$models" "$store" "$answers"
    echo "== scraps"
    [ -z "$store" ] || scraps "$store"
    settings "$unit" "$shown"
} | readable
for name in $declared; do
    [ "$shows" != new ] || [ -e "$state_dir/$name.slot" ] || shows=yes
done
doubted=''
[ "$shows" != yes ] || [ -z "$url" ] || show "$@"
echo "== end"
