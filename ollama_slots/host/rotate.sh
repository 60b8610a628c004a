# Makes a slot's new variant as NAME:previous, beside the one that serves, proves it, and has the two change names.
# Without a Modelfile NAME:previous is the candidate as it is: the slot goes back to it.
# What fails before that leaves the slot as it was. It runs to its end without whoever started it.
# Follows ask.sh, engine.sh and store.sh.
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

refuse() { # takes the candidate away, and puts the old one back into memory where it had to make room
    [ "$alone" = no ] || unload "$name:previous"
    put_back "$name"
    [ "$make_room" = no ] || answer "$name:latest" >/dev/null
    fail "$@"
}

write() { # write FROM TO: whole or not at all
    install -m 644 "$1" "$2.new" && mv "$2.new" "$2"
}

write_states() { # the slot's first: it is what a run goes by that finds these half written
    was=''
    if [ -e "$state_dir/$name.slot" ] && [ "$(value variant "$name")" = "$(digest_of "$name:previous")" ]; then
        was=$(cat "$state_dir/$name.slot") && cp "$modelfiles/$name.Modelfile" "$candidate.was" || return
    fi
    printf '%s\nvariant=%s\nloaded=%s\n' "$state" "$new" "${loaded:-$new}" >"$candidate.state" &&
        write "$candidate" "$modelfiles/$name.Modelfile" && write "$candidate.state" "$state_dir/$name.slot" || return
    [ -n "$was" ] || return 0 # else NAME:previous keeps its own, for a rollback
    printf '%s\n' "$was" >"$candidate.state" &&
        write "$candidate.was" "$modelfiles/previous/$name.Modelfile" &&
        write "$candidate.state" "$state_dir/previous/$name.slot"
}

one_at_a_time "$lock_seconds" "the rotation of slot $name"
use_store "$name" || fail "cannot tell where Ollama keeps its models: it does not run"
# A system prompt is nobody's to read; a state is read by the warm-up, which is nobody.
install -d -m 700 "$modelfiles" "$modelfiles/previous" /run/ollama-slots || fail "cannot make its directories"
install -d -m 755 "$state_dir/previous" || fail "cannot make the directory of its state"
if [ -n "$modelfile" ]; then
    printf '%s' "$modelfile" >"$candidate" || fail "cannot write $candidate"
else
    cp "$modelfiles/previous/$name.Modelfile" "$candidate" || fail "the Modelfile of $name:previous is gone"
fi

why=$(set_aside "$name" 2>&1) || fail "cannot set $name:previous aside: $why"
if [ -n "$modelfile" ]; then
    # As the program of the process that runs: sudo's PATH may lack it, and another may be there.
    made=$(OLLAMA_HOST=$url NO_PROXY='*' timeout "$load_seconds" "/proc/$(engine_pid)/exe" create "$name:previous" -f "$candidate" 2>&1) ||
        { put_back "$name"; fail "ollama create failed: $(printf '%s\n' "$made" | tail -n 1)"; }
    new=$(digest_of "$name:previous")
else
    new=$(value variant "previous/$name") # which may be switched to already, by a run that died
fi
old=$(digest_of "$name:latest") broken=''
[ -n "$new" ] || { put_back "$name"; fail "its candidate $name:previous is not there"; }

if [ "$new" = "$old" ]; then
    put_back "$name"
else
    [ "$make_room" = no ] || unload "$name:latest"
    why=$(answer "$name:previous") || refuse "the candidate does not answer: $why"
    if [ "$alone" = yes ]; then
        # Else a request to the slot that shares the runner may just have loaded it with its own window again.
        why=$(kept "$name:previous" prove "$weights" "$new" "$context" "$gpu") ||
            refuse "the candidate is refused: $why"
    fi
    why=$(exchange "$name" 2>&1) || refuse "it cannot be switched: $why"
    rm -rf "$aside"
    [ "$unload_old" = no ] || unload "$name:previous"
    broken=$(answer "$name:latest") && broken=''
fi
loaded=$(runner "$weights" "$new $known" | field digest)

if ! write_states; then
    echo "slot $name: holds the new model, but its state could not be written" >&2
    exit 1
fi
[ -z "$broken" ] || { printf '%s\n' "slot $name: was switched, and does not answer: $broken" >&2; exit 1; }
