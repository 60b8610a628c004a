# Unloads, deletes and forgets what is ours. What is gone already is no error. Follows engine.sh.
# Arguments: URL LOCK_SECONDS UNLOAD FORGET DELETE...: a model or '', a slot's name or '', models.
set -u
url=$1 lock_seconds=$2 unloaded=$3 forgotten=$4
keep_alive='' load_seconds='' # nothing is loaded here
shift 4

one_at_a_time "$lock_seconds"
[ -z "$unloaded" ] || unload "$unloaded"
for model in "$@"; do
    why=$(delete "$model") || { printf '%s\n' "cannot delete $model: $why" >&2 && exit 1; }
done
[ -z "$forgotten" ] || rm -f "$state_dir/$forgotten.slot" "/etc/ollama/modelfiles/$forgotten.Modelfile"
