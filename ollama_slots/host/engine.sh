# Shared by the scripts on a host: what is asked of Ollama (an answer, to unload, to delete), and the lock.
# needs: residency
# Set before: $url (of the API), $keep_alive (JSON; nothing: Ollama's own), $load_seconds (bound of one load).

# answer NAME:TAG ASKS [SECONDS]: has the model answer one token, or with an embedding where ASKS is embed, as a slot's
# state has it. That loads it. Prints the seconds, or the error and fails.
answer() {
    case $2 in
    embed) set -- "$1" "${3:-$load_seconds}" embed '"input":"Hi"' embeddings/0/0 ;; # the first number of the first one
    *) set -- "$1" "${3:-$load_seconds}" generate '"prompt":"Hi","stream":false,"options":{"num_predict":1}' 'done' ;;
    esac
    if hear "$2" "/api/$3" "{\"model\":\"$1\",${keep_alive:+\"keep_alive\":$keep_alive,}$4}"; then
        case $3,$(printf '%s\n' "$heard" | value_of "$5") in
        generate,true | embed,?*) echo "$heard_s" && return ;;
        esac
    fi
    error_in "$heard" && return 1
}

# kept NAME:TAG ASKS PROOF...: runs a proof of residency of a model that has answered. Where its runner is on its way
# out, the model is asked, bounded, until it went and came again; where it has gone, it is asked once more.
kept() {
    asked=$1 asks=$2 end=$(($(clock) + load_seconds)) again=''
    shift 2
    until said=$("$@"); do
        rest=$((end - $(clock)))
        case $said,$again in
        "$leaving",*) [ "$rest" -gt 0 ] || { echo "$said" && return 1; } ;;
        "$away",) again=yes ;;
        *) echo "$said" && return 1 ;;
        esac
        sleep 1
        answer "$asked" "$asks" "$((rest > 0 ? rest : 1))" >/dev/null
    done
    echo "$said"
}

# unload NAME:TAG: ends the runner of its weights, whichever name loaded it, and waits, bounded, until its process is
# gone: /api/ps may show a digest that no name has any more. What is loaded by a user meanwhile is another process.
# Right after an answer the engine may lose the request (seen on v0.32.15), so it is made until it is heard; and it is
# made where there is no process, too: /api/ps goes on listing, and counting, one that died.
unload() {
    listed_now=$(named)
    runs_on=$(weights_of "$(digest_of "$1" "$listed_now")" "$listed_now")
    [ -n "$runs_on" ] || return 0
    under=$(command_lines "$(engine_pid)") held_as="sha256-$runs_on"
    holding=$(on_lines "$held_as" "$under")
    if [ -z "$holding" ]; then # of split weights, by what they were loaded under: see parse_probe's live
        gather "$runs_on"
        held_as="[.]ollama-split-$(runner "$runs_on" "$loads" | cut -c 1-12)-"
        holding=$(on_lines "$held_as" "$under")
    fi
    api 10 /api/generate "{\"model\":\"$1\",\"keep_alive\":0}" >/dev/null
    end=$(($(clock) + 20))
    while [ -n "$holding" ] && [ "$(clock)" -lt "$end" ]; do
        sleep 0.1
        holding=$(on_lines "$held_as" "$holding")
        [ -z "$holding" ] || api 10 /api/generate "{\"model\":\"$1\",\"keep_alive\":0}" >/dev/null
    done
}

# on_lines PATTERN FILES: those of the files with command lines, a line each, that have it.
on_lines() {
    # shellcheck disable=SC2086 # a path a line, without spaces
    grep -als "$1" $2 /dev/null
}

# delete NAME:TAG: the manifest, and the blobs that no other manifest needs. Its runner is left alone. Of an Ollama that
# does not answer nothing is gone.
delete() {
    listed_now=$(named) || { echo "Ollama does not answer" && return 1; }
    [ -z "$(digest_of "$1" "$listed_now")" ] || deleted=$(api 30 /api/delete "{\"model\":\"$1\"}" DELETE) || {
        error_in "$deleted" && return 1
    }
}

# one_at_a_time SECONDS WHAT: waits, bounded, for whoever changes this host's slots; a dead one's lock is gone.
one_at_a_time() {
    # Who can read it can hold it.
    { (umask 077 && : >>"$lock") 2>/dev/null && exec 9>>"$lock"; } || { echo "cannot write $lock" >&2 && exit 1; }
    flock -w "$1" 9 || {
        echo "waited $1 s for $(cat "$lock") on this host; try again when it is done" >&2
        exit 1
    }
    echo "$2, begun at $(date '+%H:%M:%S') as process $$" >"$lock" # for whoever waits
}
