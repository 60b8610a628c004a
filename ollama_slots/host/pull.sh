# Pulls one model, with a line of progress every few seconds. Done only if the last word is success.
# Follows engine.sh, store.sh and bases.sh.
# Arguments: URL MODEL INSECURE(true|false) STALL_SECONDS TOTAL_SECONDS LOCK_SECONDS OURS(yes|no) DAMAGED
url=$1 model=$2 insecure=$3 stall_seconds=$4 total_seconds=$5 lock_seconds=$6
ours=$7                       # yes: it is recorded as brought by this tool
damaged=$8                    # weights that are not whole, or none
keep_alive='' load_seconds='' # nothing is loaded here

number() { # number KEY LINE
    printf '%s\n' "$2" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

[ -z "$damaged" ] || rm -f "$(model_store)/blobs/sha256-$damaged"
curl -sSN --max-time "$total_seconds" --speed-limit 1 --speed-time "$stall_seconds" \
    -d "{\"model\":\"$model\",\"insecure\":$insecure}" "$url/api/pull" 2>&1 | {
    last='' lines=0 before=0 before_at=$(date +%s) moved=0 moved_at=$before_at
    while IFS= read -r line; do
        last=$line lines=$((lines + 1))
        # A line comes every 60 ms; a look at the clock costs a process.
        case $line in *'"completed":'*) [ $((lines % 16)) -eq 0 ] || continue ;; *) continue ;; esac
        now=$(date +%s) total=$(number total "$line") completed=$(number completed "$line")
        [ "$completed" = "$moved" ] || moved=$completed moved_at=$now
        if [ $((now - moved_at)) -ge "$stall_seconds" ]; then
            echo "pull of $model stalled: $completed of $total bytes, none in $stall_seconds s" >&2
            exit 1
        fi
        [ $((now - before_at)) -ge 2 ] || continue
        [ "$completed" -ge "$before" ] || before=0
        speed=$(((completed - before) / (now - before_at)))
        before=$completed before_at=$now
        [ "$speed" -gt 0 ] || continue
        echo "$model: $((completed / 1000000)) of $((total / 1000000)) MB, $((speed / 1000000)) MB/s," \
            "$(((total - completed) / speed)) s left"
    done
    case $last in *'"status":"success"'*) exit 0 ;; esac
    printf 'pull of %s failed: %s\n' "$model" "$(printf '%s' "$last" | sed 's/.*"error":"\(.*\)".*/\1/')" >&2
    exit 1
} || exit 1
[ "$ours" = no ] || (one_at_a_time "$lock_seconds" "a record of a pull" && note_pulled "$model") ||
    echo "$model: was pulled, but could not be recorded in $bases, so it will not be pruned"
