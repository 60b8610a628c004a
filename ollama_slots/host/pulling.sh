# Shared by pull.sh (a pull by Ollama) and fetch.sh (a fetch from a mirror): progress, and how they begin and end.
# Set before: $model, $for_slots (their names, in words), $stall_seconds, $total_seconds, $lock_seconds, $record_base
# (yes: it is recorded as brought by this tool).
# needs: bases unfinished moves
look_seconds=2 before=0 still=0

# complain WHAT: fails, having said what is wrong.
complain() {
    printf 'pull of %s %s (for slot %s)\n' "$model" "$*" "$for_slots" >&2
    return 1
}

# progress COMPLETED TOTAL: what has come since the last look; fails if that is nothing for too long, or nobody
# listens.
progress() {
    speed=$((($1 - before) / look_seconds)) still=$((still + look_seconds))
    [ "$1" = "$before" ] || still=0
    before=$1
    [ "$still" -lt "$stall_seconds" ] || complain "stalled: $1 of $2 bytes, none in $still s" || return
    [ "$speed" -le 0 ] || echo "$model: $(($1 / 1000000)) of $(($2 / 1000000)) MB," \
        "$((speed / 1000000)) MB/s, $((($2 - $1) / speed)) s left"
}

# take_turn WHAT: waits, bounded, for another fetch or pull on this host: two that write to one file would spoil it.
take_turn() {
    (umask 077 && : >>"$fetch_lock") && exec 8>>"$fetch_lock"
    flock -n 8 || { echo "$model: waiting for another $1 on this host" && flock -w "$total_seconds" 8; } ||
        complain "failed: waited $total_seconds s for another $1 on this host"
}

# begin DAMAGED: what earlier ones left is looked over, and weights that are not whole go.
begin() {
    use_blobs || complain "failed: Ollama is not running, so its model store is unknown" || return
    sweep
    for blob in $(recorded); do
        if [ -z "$(left "$blob")" ]; then
            discard "$blob" # the engine has: no more than parts of it are there
        elif untouched "$blob"; then
            if in_pull "$blob"; then
                :
            elif spoiled "$blob"; then
                echo "$model: sha256-$blob is damaged on the disk: fetching it again"
                rm -f "$blobs/sha256-$blob" # even where a name is there that is made of it
                finished "$blob"
            elif [ ! -e "$blobs/sha256-$blob" ] && ! usable "$blob"; then
                discard "$blob" # no whole one: its pull may be at the next blob
            fi
        else
            rm -f "$unfinished/$blob"
        fi
    done
    for blob in $(useless); do
        in_pull "$blob" || remove_partial "$blob"
    done
    for blob in $1; do
        rm -f "$blobs/sha256-$blob"
    done
}

# end FAILED: what it leaves is recorded with its time; where it succeeded, the model is, as brought by this tool.
end() {
    [ "$1" -ne 0 ] || on_disk || complain "failed: cannot write the download to the disk" || return
    for blob in $(recorded "$model"); do
        if [ "$1" -eq 0 ] || [ -z "$(left "$blob")" ]; then
            finished "$blob"
        elif let_go "$blob" && [ -e "$unfinished/$blob" ]; then # another run may have come and finished it
            record "$blob" "$model" "$(left "$blob")"
        fi
    done
    [ "$1" -eq 0 ] || return
    [ "$record_base" = no ] || (one_at_a_time "$lock_seconds" "a record of a pull" && note_pulled "$model") ||
        echo "$model: was pulled, but could not be recorded in $bases, so it will not be pruned"
}
