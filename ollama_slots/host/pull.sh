# Pulls one model, with a line of progress every few seconds. Done only if the last word is success.
# What it brought stays, for the next one to go on from, unless the disk is full.
# Follows ask.sh, engine.sh, store.sh, moves.sh, bases.sh, unfinished.sh and pulling.sh.
# Arguments: URL MODEL INSECURE(true|false) STALL_SECONDS TOTAL_SECONDS LOCK_SECONDS OURS(yes|no) DAMAGED
trap '' PIPE HUP # whoever started it may go: it ends by itself, and records what it leaves
url=$1 model=$2 insecure=$3 stall_seconds=$4 total_seconds=$5 lock_seconds=$6
ours=$7                       # yes: it is recorded as brought by this tool
damaged=$8                    # weights that are not whole, or none
keep_alive='' load_seconds='' # nothing is loaded here

# stream: what the engine says, and now and then an empty line, so that silence is noticed, too. Where nobody reads
# it any more the request ends, and with it the engine's pull.
stream() {
    (by="exec" && ask -N --max-time "$total_seconds" \
        -d "{\"model\":\"$model\",\"insecure\":$insecure}" "$url/api/pull" 2>&1) &
    request=$!
    (while sleep "$look_seconds" >/dev/null && echo; do :; done; kill "$request") 2>/dev/null &
    wait "$request" 2>/dev/null
    kill "$!" 2>/dev/null
}

# follow: shows the progress of a stream, until it ends, stalls, or nobody listens; fails but for success.
follow() {
    last='' at='' blob='' begun=''
    while IFS= read -r line; do
        [ -n "$line" ] || { look && continue || return; }
        last=$line
        case $line in
        *'"digest":"sha256:'*)
            at=$line digest=${line##*sha256:}
            turn_to "${digest%%\"*}"
            ;;
        esac
    done
    case $last in
    *'"status":"success"'*) return 0 ;;
    *'no space left on device'*)
        digest=${last##*sha256-}
        turn_to "${digest%%-*}" # of which it may have said nothing else
        for blob in $begun; do
            let_go "$blob" && discard "$blob"
        done
        fail "failed: no space left on device${begun:+, so what it had brought is removed again}"
        ;;
    *'digest mismatch'*)
        # What it went on from may be what a power cut has left: by now the engine has taken that away.
        case $there in *-partial*) return "$again" ;; esac
        fail "failed: $(error_in "$last")"
        ;;
    *) fail "failed: $(printf '%s' "$last" | sed 's/.*"error":"\(.*\)".*/\1/')" ;;
    esac
}

# turn_to DIGEST: the engine speaks of a blob. One that was there, and is not recorded, is not ours.
turn_to() {
    case $1 in "$blob" | *[!0-9a-f]* | '') return ;; esac
    blob=$1 before=$(number completed "$at") before=${before:-0} still=0
    case $there in *"sha256-$blob-partial"*) echo "$model: goes on from $((before / 1000000)) MB" ;; esac
    case $there in *"sha256-$blob"*) [ -e "$unfinished/$blob" ] || return ;; esac
    begun="$begun $blob"
    rm -f "$fetched/sha256-$blob-partial" # the engine goes on from its own alone
    record "$blob" "$model"
}

# look: what has come since the last look; fails if that is nothing for too long, or nobody listens.
look() {
    case $last in *'"verifying sha256 digest"'*) return 0 ;; esac # no byte is to come: it reads what it has
    if [ -z "$at" ]; then
        still=$((still + look_seconds))
        [ "$still" -lt "$stall_seconds" ] || fail "stalled: its registry has not answered in $still s"
    else
        completed=$(number completed "$at")
        progress "${completed:-0}" "$(number total "$at")"
    fi
}

number() { # number KEY LINE
    printf '%s\n' "$2" | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

begin "$damaged" || exit
again=75 # the exit status that says so
there=$(ls "$blobs" 2>/dev/null)
stream | follow
failed=$?
if [ "$failed" -eq "$again" ]; then
    echo "$model: what was there of it is damaged: it is pulled anew"
    there=''
    stream | follow
    failed=$?
fi
end "$failed"
