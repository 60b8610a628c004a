# Makes a slot's new variant as NAME:current, beside the one that serves, proves it, and has NAME mean it; what served
# is NAME:previous from then on. Without a Modelfile NAME:previous is the candidate: the slot goes back to it.
# What fails before that leaves the slot as it was. It runs to its end without whoever started it. Nothing is switched
# to, or written down, before it is on the disk.
# Follows ask.sh, engine.sh, store.sh and moves.sh.
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

modelfiles=/etc/ollama/modelfiles
candidate=/run/ollama-slots/$name.Modelfile
trap 'rm -f "$candidate" "$candidate.state" "$candidate.was"' EXIT

fail() {
    printf '%s\n' "slot $name: $*; the slot is as it was" >&2
    exit 1
}

take_back() { # takes the candidate away, and puts the old one back into memory where it had to make room
    [ "$alone" = no ] || unload "$name:current"
    put_back "$name" >/dev/null
    [ "$make_room" = no ] || answer "$name:latest" >/dev/null
}

refuse() {
    take_back
    fail "$@"
}

doubt() { # doubt WHY: weights that are not what they should be go, and the next step pulls them; else it refuses
    damaged "$weights" || refuse "$1"
    take_back
    rm -f "$store/blobs/sha256-$weights" || fail "its weights are damaged, and cannot be removed"
    echo "slot $name: $1: its weights, sha256-$weights, are damaged on the disk: they are fetched again"
    exit 0
}

write() { # write FROM TO: whole or not at all
    install -m 644 "$1" "$2.new" && replace "$2.new" "$2"
}

serves_as_known() { # whether NAME, or with an argument another tag of it, is what the slot's state says
    [ -e "$state_dir/$name.slot" ] && is "$name:${1:-latest}" "$(value variant "$name")"
}

write_states() { # the slot's first: it is what a run goes by that finds these half written
    was=''
    if [ "$known_before" = yes ]; then
        was=$(cat "$state_dir/$name.slot") && cp "$modelfiles/$name.Modelfile" "$candidate.was" || return
    fi
    printf '%s\nvariant=%s\nloaded=%s\n' "$state" "$new" "${loaded:-$new}" >"$candidate.state" &&
        { [ -z "$modelfile" ] || date '+made=%s' >>"$candidate.state"; } &&
        write "$candidate" "$modelfiles/$name.Modelfile" && write "$candidate.state" "$state_dir/$name.slot" || return
    if [ -n "$was" ]; then # else NAME:previous keeps its own, for a rollback
        printf '%s\n' "$was" >"$candidate.state" &&
            write "$candidate.was" "$modelfiles/previous/$name.Modelfile" &&
            write "$candidate.state" "$state_dir/previous/$name.slot"
    fi
}

one_at_a_time "$lock_seconds" "the rotation of slot $name"
use_store || fail "cannot tell where Ollama keeps its models: it does not run"
sweep
# A system prompt is nobody's to read; a state is read by the warm-up, which is nobody.
install -d -m 700 "$modelfiles" "$modelfiles/previous" /run/ollama-slots || fail "cannot make its directories"
install -d -m 755 "$state_dir/previous" || fail "cannot make the directory of its state"
broken=''
if [ -n "$modelfile" ]; then
    printf '%s' "$modelfile" >"$candidate" || fail "cannot write $candidate"
    # By the program of the process that runs: sudo's PATH may lack it, and another may be there.
    set -- "/proc/$(engine_pid)/exe" create "$name:current" -f "$candidate"
    if ! made=$(OLLAMA_HOST=$url NO_PROXY='*' timeout "$load_seconds" "$@" 2>&1); then
        alone=no make_room=no # NAME:current may still be what serves, and nothing was unloaded
        doubt "ollama create failed: $(printf '%s\n' "$made" | tail -n 1)"
    fi
    new=$(digest_of "$name:current")
else
    cp "$modelfiles/previous/$name.Modelfile" "$candidate" || fail "the Modelfile of $name:previous is gone"
    new=$(value variant "previous/$name") # which may be switched to already, by a run that died
    is "$name:latest" "$new" || why=$(mean "$name:current" "$name:previous") || fail "its candidate cannot be named: $why"
fi
[ -n "$new" ] || { put_back "$name" >/dev/null; fail "its candidate $name:current is not there"; }

known_before=no # yes: the state of what is NAME:previous then is the slot's own until now
if is "$name:latest" "$new"; then
    ! serves_as_known previous || known_before=yes # a run died after its switch
else
    ! serves_as_known || known_before=yes
    [ "$make_room" = no ] || unload "$name:latest"
    why=$(answer "$name:current") || doubt "the candidate does not answer: $why"
    if [ "$alone" = yes ]; then
        # Else a request to the slot that shares the runner may just have loaded it with its own window again.
        why=$(kept "$name:current" prove "$weights" "$new" "$context" "$gpu") ||
            refuse "the candidate is refused: $why"
    fi
    why=$(on_disk 2>&1) || refuse "what it is made of cannot be written to the disk: $why"
    why=$(exchange "$name" 2>&1) || refuse "it cannot be switched: $why"
    [ "$unload_old" = no ] || unload "$name:previous"
    broken=$(answer "$name:latest") && broken=''
fi
loaded=$(runner "$weights" "$new $known" | field digest | head -n 1)

if ! on_disk || ! write_states; then
    echo "slot $name: holds the new model, but its state could not be written" >&2
    exit 1
fi
[ -z "$broken" ] || { printf '%s\n' "slot $name: was switched, and does not answer: $broken" >&2; exit 1; }
