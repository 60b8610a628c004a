# Pulls one model, with a line of progress every few seconds. Done only if the last word is success.
# What it brought stays, for the next one to go on from, unless the disk is full.
# needs: pulling
# takes: url model for_slots insecure stall_seconds total_seconds lock_seconds record_base damaged
# insecure (true|false); record_base (yes|no): it is recorded as brought by this tool; damaged: weights that are not
# whole, or none
trap '' PIPE HUP # whoever started it may go: it ends by itself, and records what it leaves
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
    last='' at='' blob='' begun='' status='' start='' digest=''
    while IFS= read -r line; do
        [ -n "$line" ] || { look && continue || return; }
        last=$line
        if [ "${line%%,*}" != "$start" ]; then # many a line a second differs in its last number alone
            start=${line%%,*}
            status=$(told status "$line") digest=$(told digest "$line")
        fi
        case $digest in
        sha256:*)
            at=$line
            turn_to "${digest#sha256:}"
            ;;
        esac
    done
    [ "$status" != success ] || return 0
    why=$(error_in "$last")
    case $why in
    *'no space left on device'*)
        digest=${why##*sha256-}
        turn_to "${digest%%-*}" # of which it may have said nothing else
        for blob in $begun; do
            let_go "$blob" && discard "$blob"
        done
        complain "failed: no space left on device${begun:+, so its partial download was removed}"
        ;;
    *'digest mismatch'*)
        # What it went on from may be what a power cut has left: by now the engine has taken that away.
        case $there in *-partial*) return "$again" ;; esac
        complain "failed: $why"
        ;;
    *'server gave HTTP response to HTTPS client'*)
        complain "failed: $why: set pull_insecure = True for a registry that speaks plain HTTP"
        ;;
    *) complain "failed: $why" ;;
    esac
}

# turn_to DIGEST: the engine speaks of a blob. One that was there, and is not recorded, is not ours.
turn_to() {
    case $1 in "$blob" | *[!0-9a-f]* | '') return ;; esac
    blob=$1 before=$(told completed "$at") before=${before:-0} still=0
    case $there in *"sha256-$blob-partial"*) echo "$model: resuming at $((before / 1000000)) MB" ;; esac
    case $there in *"sha256-$blob"*) [ -e "$unfinished/$blob" ] || return ;; esac
    begun="$begun $blob"
    rm -f "$fetched/sha256-$blob-partial" # the engine goes on from its own alone
    record "$blob" "$model"
}

# look: what has come since the last look; fails if that is nothing for too long, or nobody listens.
look() {
    [ "$status" != "verifying sha256 digest" ] || return 0 # no byte is to come: it reads what it has
    if [ -z "$at" ]; then
        still=$((still + look_seconds))
        [ "$still" -lt "$stall_seconds" ] || complain "stalled: its registry has not answered in $still s"
    else
        completed=$(told completed "$at")
        progress "${completed:-0}" "$(told total "$at")"
    fi
}

told() { # told KEY LINE: what the engine says of that
    printf '%s\n' "$2" | value_of "$1"
}

begin "$damaged" || exit
# One Ollama makes one pull of two for the same model. Two Ollamas do not, and one store may be both's.
set -- "$system_units"/*.service.d/"${drop_in##*/}"
[ $# -eq 1 ] || take_turn pull || exit
again=75 # the exit status that says so
there=$(ls "$blobs" 2>/dev/null)
stream | follow
failed=$?
if [ "$failed" -eq "$again" ]; then
    echo "$model: its partial download is damaged: pulling it anew"
    there=''
    stream | follow
    failed=$?
fi
end "$failed"
