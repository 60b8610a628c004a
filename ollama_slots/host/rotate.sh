# Makes a slot's variant beside the one that serves, proves it, and switches. Follows engine.sh.
# What fails before the switch leaves the slot as it was. It runs to its end without whoever started it.
set -u
trap '' HUP PIPE
url=$1 keep_alive=$2 load_seconds=$3 lock_seconds=$4
name=$5 modelfile=$6 # the variant's name and its Modelfile's text
state=$7             # what to write into the state file, all but the digests that come of it
weights=$8 context=$9
shift 9
known=$1 # digests that are known to be of these weights
shift
gpu=$1        # yes: it must be wholly in GPU memory
make_room=$2  # yes: both do not fit in memory, the old one is unloaded first
unload_old=$3 # yes: no slot uses the old weights once this one is switched
alone=$4      # yes: no slot serves from the new weights now

candidate=/run/ollama-slots/$name.Modelfile
trap 'rm -f "$candidate"' EXIT

fail() {
    printf '%s\n' "slot $name: $*; the slot is as it was" >&2
    exit 1
}

refuse() { # removes the candidate, and puts the old one back where it had to make room
    [ "$alone" = no ] || unload "$name:next"
    delete "$name:next"
    [ "$make_room" = no ] || answer "$name:latest" >/dev/null
    fail "$@"
}

copy() { # copy FROM TO
    copied=$(api 30 /api/copy "{\"source\":\"$1\",\"destination\":\"$2\"}") || { error_in "$copied" && return 1; }
}

one_at_a_time "$lock_seconds"
install -d -m 755 /etc/ollama/modelfiles "$state_dir" /run/ollama-slots || fail "cannot make its directories"
printf '%s' "$modelfile" >"$candidate" || fail "cannot write $candidate"

made=$(OLLAMA_HOST=$url timeout "$load_seconds" ollama create "$name:next" -f "$candidate" 2>&1) ||
    fail "ollama create failed: $(printf '%s\n' "$made" | tail -n 1)"
next=$(digest_of "$name:next") old=$(digest_of "$name:latest") broken=''
[ -n "$next" ] || fail "ollama create said success, but $name:next is not there"

if [ "$next" != "$old" ]; then
    [ "$make_room" = no ] || unload "$name:latest"
    why=$(answer "$name:next") || refuse "the candidate does not answer: $why"
    if [ "$alone" = yes ]; then
        # Else a request to the slot that shares the runner may just have loaded it with its own window again.
        why=$(prove "$weights" "$next" "$context" "$gpu") || refuse "the candidate is refused: $why"
    fi
    if [ -n "$old" ]; then
        why=$(copy "$name:latest" "$name:previous") || refuse "the old one cannot be kept: $why"
    fi
    why=$(copy "$name:next" "$name:latest") || refuse "it cannot be switched: $why"
    [ "$unload_old" = no ] || unload "$name:previous"
    broken=$(answer "$name:latest") && broken=''
fi
loaded=$(runner "$weights" "$next $known" | field digest)
delete "$name:next"

if ! { install -m 644 "$candidate" "/etc/ollama/modelfiles/$name.Modelfile.new" &&
    mv "/etc/ollama/modelfiles/$name.Modelfile.new" "/etc/ollama/modelfiles/$name.Modelfile" &&
    printf '%s\nvariant=%s\nloaded=%s\n' "$state" "$next" "${loaded:-$next}" >"$state_dir/$name.slot.new" &&
    mv "$state_dir/$name.slot.new" "$state_dir/$name.slot"; }; then
    echo "slot $name: holds the new model, but its state could not be written" >&2
    exit 1
fi
[ -z "$broken" ] || { printf '%s\n' "slot $name: was switched, and does not answer: $broken" >&2 && exit 1; }
