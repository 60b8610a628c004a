# What the scripts on a host share: what Ollama's API says, and what is made of it. Follows ask.sh.
# Set before: $url (of the API), $keep_alive (JSON), $load_seconds (bound of one load).

state_dir=/var/lib/ollama-slots

# entries: /api/tags or /api/ps on stdin, one line a model on stdout (details dropped, for they nest).
entries() {
    sed 's/"details":{[^{}]*},*//g' | tr '{' '\n' | grep '"digest":'
}

# field KEY: the value of a key in an entry on stdin.
field() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"
}

# digest_of NAME:TAG: the manifest digest of a model that is there, or nothing; one of several, where its name is a
# manifest list (from 0.40 on).
digest_of() {
    digests_of "$1" | head -n 1
}

# digests_of NAME:TAG: all of them, a line each.
digests_of() {
    api 10 /api/tags | entries | grep -iF "\"name\":\"$1\"" | field digest
}

# is NAME:TAG DIGEST: whether a model that is there has that manifest.
is() {
    digests_of "$1" | grep -qxF -e "${2:-none}"
}

# weights_of DIGEST: the blob behind a manifest that some name still has, or nothing.
weights_of() {
    named=$(api 10 /api/tags | entries | grep -F "\"digest\":\"$1\"" | head -n 1 | field name)
    [ -z "$named" ] || api 10 /api/show "{\"model\":\"$named\"}" |
        grep -o '\\nFROM [^\\]*sha256-[0-9a-f]*' | head -n 1 | sed 's/.*sha256-//'
}

# runner WEIGHTS DIGESTS: the /api/ps entry that holds them. A runner is found by its weights and keeps the
# digest under which it was loaded: one of those known for the weights, or one that a name still has.
runner() {
    loaded=$(api 10 /api/ps | entries)
    for digest in $(printf '%s\n' "$loaded" | field digest); do
        case " $2 " in *" $digest "*) ;; *) [ "$(weights_of "$digest")" = "$1" ] || continue ;; esac
        printf '%s\n' "$loaded" | grep -F "\"digest\":\"$digest\"" && return
    done
}

# error_in ANSWER: what an API answer says went wrong, on one line.
error_in() {
    printf '%s' "$1" | tr '\n' ' ' | sed 's/.*"error":"\(.*\)".*/\1/; s/\\n/; /g; s/\\"/"/g'
}

# answer NAME:TAG [SECONDS]: has the model answer one token, which loads it; prints the seconds, or the error and fails.
answer() {
    answered=$(request "${2:-$load_seconds}" /api/generate "{\"model\":\"$1\",\"prompt\":\"Hi\",\"stream\":false,\
\"keep_alive\":$keep_alive,\"options\":{\"num_predict\":1}}") || { error_in "${answered%
*}" && return 1; }
    case $answered in
    *'"done":true'*) echo "${answered##*
}" ;;
    *) error_in "$answered" && return 1 ;;
    esac
}

leaving='it is about to be unloaded' away='it is not in memory'

# leaves TIME: whether a runner that expires then is about to be unloaded: it goes when it is idle, whoever asked for
# it since (server/sched.go, v0.32.15).
leaves() {
    ! expr "${1:-9}" \> "$(date '+%Y-%m-%dT%H:%M:%S.%N')" >/dev/null
}

# prove WEIGHTS DIGESTS CONTEXTS GPU(yes|no): that a runner holds the weights, with one of these windows; prints
# its bytes in GPU memory and its window, or what is wrong and fails.
prove() {
    found=$(runner "$1" "$2")
    [ -n "$found" ] || { echo "$away" && return 1; }
    context=$(printf '%s\n' "$found" | field context_length)
    case " $3 " in *" $context "*) ;; *) echo "its context is $context tokens, not $3" && return 1 ;; esac
    case $keep_alive in *-*) leaves "$(printf '%s\n' "$found" | field expires_at)" && echo "$leaving" && return 1 ;; esac
    size=$(printf '%s\n' "$found" | field size)
    in_gpu=$(printf '%s\n' "$found" | field size_vram)
    if [ "$4" = yes ] && [ "$in_gpu" != "$size" ]; then
        echo "only $in_gpu of its $size bytes are in GPU memory" && return 1
    fi
    echo "${in_gpu:-0} $context"
}

# slots: the names of the slots that hold a model.
slots() {
    for state in "$state_dir"/*.slot; do
        state=${state##*/}
        [ "$state" = '*.slot' ] || echo "${state%.slot}"
    done
}

# value KEY NAME: what the state of a slot says.
value() {
    sed -n "s/^$1=//p" "$state_dir/$2.slot"
}

# values KEY WEIGHTS: what the states of all slots on these weights say.
values() {
    grep -lF "weights=$2" "$state_dir"/*.slot | xargs sed -n "s/^$1=//p" | tr '\n' ' '
}

# proven NAME GPU(yes|no): that a slot is resident, as prove says it. Slots with the same weights share a runner;
# where they are allowed different windows, the one that was asked last has its own.
proven() {
    held=$(value weights "$1") own=$(digests_of "$1:latest" | tr '\n' ' ')
    # What the engine has made of the variant since (a manifest list, from 0.40 on) is it, too.
    case " $own" in *" $(value variant "$1") "*) ;; *) own='' ;; esac
    prove "$held" "$own$(values variant "$held")$(values loaded "$held")$(values base "$held")" \
        "$(values context "$held")" "$2"
}

# kept NAME:TAG PROOF...: runs a proof of residency of a model that has answered. Where its runner is on its way out,
# the model is asked, bounded, until it went and came again; where it has gone, it is asked once more.
kept() {
    asked=$1 end=$(($(clock) + load_seconds)) again=''
    shift
    until said=$("$@"); do
        rest=$((end - $(clock)))
        case $said,$again in
        "$leaving",*) [ "$rest" -gt 0 ] || { echo "$said" && return 1; } ;;
        "$away",) again=yes ;;
        *) echo "$said" && return 1 ;;
        esac
        sleep 1
        answer "$asked" "$((rest > 0 ? rest : 1))" >/dev/null
    done
    echo "$said"
}

# unload NAME:TAG: ends the runner of its weights, whichever name loaded it, and waits, bounded, until its process is
# gone: /api/ps may show a digest that no name has any more. What is loaded by a user meanwhile is another process.
# Right after an answer the engine may lose the request (seen on v0.32.15), so it is made until it is heard; and it is
# made where there is no process, too: /api/ps goes on listing, and counting, one that died.
unload() {
    held=$(weights_of "$(digest_of "$1")")
    [ -n "$held" ] || return 0
    holding=$(grep -als "[s]ha256-$held" /proc/[0-9]*/cmdline) # the bracket keeps grep from finding itself
    api 10 /api/generate "{\"model\":\"$1\",\"keep_alive\":0}" >/dev/null
    end=$(($(clock) + 20))
    while [ -n "$holding" ] && [ "$(clock)" -lt "$end" ]; do
        sleep 0.1
        holding=$(printf '%s\n' "$holding" | xargs grep -als "[s]ha256-$held")
        [ -z "$holding" ] || api 10 /api/generate "{\"model\":\"$1\",\"keep_alive\":0}" >/dev/null
    done
}

# delete NAME:TAG: the manifest, and the blobs that no other manifest needs. Its runner is left alone.
delete() {
    [ -z "$(digest_of "$1")" ] || deleted=$(api 30 /api/delete "{\"model\":\"$1\"}" DELETE) || {
        error_in "$deleted" && return 1
    }
}

# replace NEW FILE: the one takes the other's place by a rename, on the disk before it and after it: a power cut leaves
# the old one or the new one, and neither empty.
replace() {
    sync "$1" && mv "$1" "$2" && sync "${2%/*}"
}

# one_at_a_time SECONDS WHAT: waits, bounded, for whoever changes this host's slots; a dead one's lock is gone.
one_at_a_time() {
    (umask 077 && : >>/run/ollama-slots.lock) && exec 9>>/run/ollama-slots.lock # who can read it can hold it
    flock -w "$1" 9 || {
        echo "waited $1 s for $(cat /run/ollama-slots.lock) on this host; try again when it is done" >&2
        exit 1
    }
    echo "$2, begun at $(date '+%H:%M:%S') as process $$" >/run/ollama-slots.lock # for whoever waits
}
