# Unloads, puts back, deletes and forgets models and slots of ours, and clears away what writes that were cut off left.
# What is gone already is no error.
# needs: moves bases beside unfinished
# takes: url lock_seconds unloaded interrupted forgotten discarded
# lists: MODEL...
# unloaded: a model or nothing; interrupted, forgotten: a slot's name or nothing; discarded: blobs; MODEL: to be deleted
set -u
keep_alive='' load_seconds='' # nothing is loaded here

# pass_on NAME:TAG: a runner is known by the digest under which it was loaded. Where the name with that digest
# goes, and the runner serves slots, their states keep it; else they would count as not in memory.
pass_on() {
    gone=$(digest_of "$1")
    [ -n "$gone" ] && api 10 /api/ps | rows models digest | grep -qxF "$gone" || return 0
    gone_weights=$(weights_of "$gone")
    for slot in $(slots); do
        [ "$(value weights "$slot")" = "$gone_weights" ] || continue
        own=$state_dir/$slot.slot
        sed "s/^loaded=.*/loaded=$gone/" "$own" >"$own.new" && chmod 644 "$own.new" && replace "$own" || return
    done
}

# restore NAME: its names are as before a rotation that was cut off. What the slot was on its way back to may have no
# other name by now.
restore() {
    use_store || { echo "Ollama is not running" && return 1; }
    ! is "$1:current" "$(value variant "previous/$1" 2>/dev/null)" ||
        mean "$1:previous" "$1:current" || return
    put_back "$1"
}

# clear: the scraps of writes go. In a directory there may be what a fetch goes on from.
clear() {
    scraps "$store" | while IFS= read -r it; do
        if [ -d "$it" ]; then chmod 755 "$it"; else rm -f "$it"; fi
    done
    rmdir "$(fetches "$store")" "$store/blobs/.ollama-slots" 2>/dev/null || :
    tidy
}

one_at_a_time "$lock_seconds" "a removal"
! use_store || clear || exit 1
[ -z "$unloaded" ] || unload "$unloaded"
if [ -n "$interrupted" ]; then
    why=$(restore "$interrupted" 2>&1) || { echo "cannot put $interrupted:current back: $why" >&2; exit 1; }
fi
for model in "$@"; do
    pass_on "$model" || exit 1
    why=$(delete "$model") || { printf '%s\n' "cannot delete $model: $why" >&2; exit 1; }
    [ ! -e "$bases" ] || note_base "$model" || exit 1
done
[ -z "$discarded" ] || use_blobs || exit 1
for blob in $discarded; do
    in_pull "$blob" || { untouched "$blob" && discard "$blob"; }
done
[ -n "$forgotten" ] || exit 0
rm -f "$state_dir/$forgotten.slot" "$modelfiles/$forgotten.Modelfile" \
    "$previous_states/$forgotten.slot" "$previous_modelfiles/$forgotten.Modelfile"
# A state that a power cut brings back has the warm-up wait for a name that never comes.
for directory in "$state_dir" "$previous_states"; do
    [ ! -d "$directory" ] || sync "$directory" || exit
done
