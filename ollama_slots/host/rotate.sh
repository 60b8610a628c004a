# Makes a slot's new variant as NAME:current, beside the one that serves, proves it, and has NAME mean it; what served
# is NAME:previous from then on. Without a Modelfile NAME:previous is the candidate: the slot goes back to it.
# What fails before that leaves the slot as it was. It runs to its end without whoever started it. Nothing is switched
# to, or written down, before it is on the disk.
# needs: engine store moves replace
# takes: url keep_alive load_seconds lock_seconds slot rolls_back state weights context known gpu make_room unload_old alone bytes
# rolls_back (yes|no): there is no Modelfile; state: what to write into the state file, all but the digests that come of
# it; known: digests that are known to be of these weights; gpu (yes|no): it must be wholly in GPU memory; make_room
# (yes|no): both do not fit in memory, the old one is unloaded first; unload_old (yes|no): no slot uses the old weights
# once this one is switched; alone (yes|no): no slot serves from the new weights now; bytes: how much it reads
# stdin: the Modelfile and a newline, for every user can read a command line; what comes after is the next script's
set -u
trap '' HUP PIPE
modelfile=$(timeout 60 head -c "$bytes" && echo .)
modelfile=${modelfile%
.}
exec </dev/null
candidate=$candidates/$slot.Modelfile
trap 'rm -f "$candidate" "$candidate.state" "$candidate.was"' EXIT

back='' not_back='' # the slot that has to answer again where the candidate is taken away, and why it does not
fail() {
    printf '%s\n' "slot $slot: $*; the slot is unchanged${not_back:+, but slot $back is not in memory: $not_back}" >&2
    exit 1
}

take_back() { # takes the candidate away, and puts back into memory what made way for it
    [ "$alone" = no ] || unload "$slot:current"
    put_back "$slot" >/dev/null
    [ -z "$back" ] || { not_back=$(answer "$back:latest" "$(value asks "$back")") && not_back=''; }
}

shares() { # the slot that has the candidate's weights by now, the slot itself before others: they have one runner
    for it in "$slot" $(slots); do
        [ "$(value weights "$it")" != "$weights" ] || { echo "$it" && return; }
    done
}

refuse() {
    take_back
    fail "$@"
}

stated() { # stated KEY: what the state says that is to be written
    keyed "$1" <<END
$state
END
    printf '%s\n' "$keyed"
}

doubt() { # doubt WHY: weights that are not what they should be go, and the next step pulls them; else it refuses
    bad=$(damaged_of "$weights" "$(stated base)" "${new:-none}")
    [ -n "$bad" ] || refuse "$1"
    # Only a deploy fetches them again.
    [ "$rolls_back" = no ] || refuse "$1: its weights are damaged on the disk: deploy the model that you want"
    take_back
    for blob in $bad; do
        rm -f "$store/blobs/sha256-$blob" || fail "its weights are damaged and cannot be removed"
        echo "slot $slot: $1: its weights, sha256-$blob, are damaged on the disk: fetching them again"
    done
    exit 0
}

lies_short() { # whether the runner has the candidate's window, and is not wholly in GPU memory, where it has to be
    seen=$(prove "$weights" "$new $known" "$context" "$placed")
    case $seen in only*) return 0 ;; esac
    return 1
}

proof_of_candidate() { # what answers and is not found was loaded under a manifest that is gone: a reload makes it known
    set -- "$slot:current" "$(stated asks)"
    if [ "$alone" = no ]; then
        # A request to a slot that shares the runner may just have loaded it with its own window again.
        gather "$weights"
        place "$gpu"
        lies_short || return 0
        unload "$1" # it may have been loaded when there was less room
        answer "$@" >/dev/null
        ! lies_short || { echo "$seen" && return 1; }
        return 0
    fi
    seen=$(kept "$@" prove "$weights" "$new $known" "$context" "$gpu") && return
    [ "$seen" = "$away" ] || { echo "$seen" && return 1; }
    unload "$1"
    answer "$@" >/dev/null
    kept "$@" prove "$weights" "$new $known" "$context" "$gpu"
}

write() { # write FROM TO: whole or not at all; where there is no FROM, which somebody may have removed, no TO
    if [ -e "$1" ]; then
        install -m 644 "$1" "$2.new" && replace "$2"
    else
        rm -f "$2"
    fi
}

serves_as_known() { # whether NAME, or with an argument another tag of it, is what the slot's state says
    [ -e "$state_dir/$slot.slot" ] && is "$slot:${1:-latest}" "$(value variant "$slot")" "$names"
}

made_now() { # the time; but later than what it takes the place of, for a clock may have been ahead
    at=$(date '+%s') before=$(value made "$slot")
    case $before in '' | *[!0-9]*) ;; *) [ "$before" -lt "$at" ] || at=$((before + 1)) ;; esac
    echo "made=$at"
}

write_own() { # the state, by which the next run tells that the Modelfile is not there yet
    printf '%s\nvariant=%s\nloaded=%s\n' "$state" "$new" "${loaded:-$new}" >"$candidate.state" &&
        { [ "$rolls_back" = yes ] || made_now >>"$candidate.state"; } &&
        write "$candidate.state" "$state_dir/$slot.slot" && write "$candidate" "$modelfiles/$slot.Modelfile"
}

write_previous() { # what is known of NAME:previous; where nothing is, it keeps its own, for a rollback
    [ -n "$was" ] || return 0
    printf '%s\n' "$was" >"$candidate.state" &&
        write "$candidate.was" "$previous_modelfiles/$slot.Modelfile" &&
        write "$candidate.state" "$previous_states/$slot.slot"
}

write_states() { # a run that dies between the two is done again by a deploy, and is over for a rollback
    was=''
    if [ "$known_before" = yes ]; then
        was=$(cat "$state_dir/$slot.slot") || return
        [ ! -e "$modelfiles/$slot.Modelfile" ] || cp "$modelfiles/$slot.Modelfile" "$candidate.was" || return
    fi
    if [ "$rolls_back" = yes ]; then
        write_own && write_previous
    else
        write_previous && write_own
    fi
}

one_at_a_time "$lock_seconds" "the rotation of slot $slot"
use_store || fail "Ollama is not running, so its model store is unknown"
sweep
# A system prompt is nobody's to read; a state is read by the warm-up, which is nobody.
install -d -m 700 "$modelfiles" "$previous_modelfiles" "$candidates" || fail "cannot make its directories"
install -d -m 755 "$previous_states" || fail "cannot make the directory of its state"
rm -f "$candidate" "$candidate.was"
broken=''
if [ "$rolls_back" = no ]; then
    printf '%s' "$modelfile" >"$candidate" || fail "cannot write $candidate"
    case $state in
    *"modelfile=$(sha256sum <"$candidate" | cut -d ' ' -f 1)"*) ;;
    *) fail "its Modelfile did not arrive as it was sent, on the script's stdin (which _su_password takes)" ;;
    esac
    # By the program of the process that runs: sudo's PATH may lack it, and another may be there.
    set -- "$proc/$server/exe" create "$slot:current" -f "$candidate"
    if ! made=$(OLLAMA_HOST=$url NO_PROXY='*' timeout "$load_seconds" "$@" 2>&1); then
        alone=no # NAME:current may still be what serves
        doubt "ollama create failed: $(printf '%s\n' "$made" | tail -n 1)"
    fi
    names=$(named)
    new=$(digest_of "$slot:current" "$names")
else
    [ ! -e "$previous_modelfiles/$slot.Modelfile" ] || cp "$previous_modelfiles/$slot.Modelfile" "$candidate" ||
        fail "cannot write $candidate"
    names=$(named)
    new=$(value variant "previous/$slot") # which may be switched to already, by a run that died
    is "$slot:latest" "$new" "$names" || why=$(mean "$slot:current" "$slot:previous") || fail "cannot name the candidate: $why"
fi
[ -n "$new" ] || { put_back "$slot" >/dev/null; fail "there is no candidate $slot:current"; }

known_before=no # yes: the state of what is NAME:previous then is the slot's own until now
if is "$slot:latest" "$new" "$names"; then
    ! serves_as_known previous || known_before=yes # a run died after its switch
else
    ! serves_as_known || known_before=yes
    [ "$make_room" = no ] || unload "$slot:latest"
    back=$slot
    [ "$make_room" = yes ] || back=$(shares)
    why=$(answer "$slot:current" "$(stated asks)") || doubt "the candidate does not answer: $why"
    why=$(proof_of_candidate) || refuse "the candidate is refused: $why"
    why=$(on_disk 2>&1) || refuse "cannot write the candidate to the disk: $why"
    why=$(exchange "$slot" 2>&1) || refuse "cannot switch to the candidate: $why"
    [ "$unload_old" = no ] || unload "$slot:previous"
    broken=$(answer "$slot:latest" "$(stated asks)") && broken=''
fi
loaded=$(runner "$weights" "$new $known" | cut -f 1)

if ! on_disk || ! write_states; then
    echo "slot $slot: holds the new model, but its state could not be written" >&2
    exit 1
fi
[ -z "$broken" ] || { printf '%s\n' "slot $slot: was switched, but does not answer: $broken" >&2; exit 1; }
