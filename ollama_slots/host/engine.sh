# Shared by the scripts on a host: models, runners, the proof of residency, unloading, the lock.
# needs: ask json records
# Set before: $url (of the API), $keep_alive (JSON; nothing: Ollama's own), $load_seconds (bound of one load).

# named: every name that Ollama lists, and its digest; one of several of each, where it is a manifest list (from 0.40 on).
named() {
    api 10 /api/tags | named_in
}

# named_in: the same of an answer of /api/tags on stdin.
named_in() {
    rows models name digest
}

# digest_of NAME:TAG [NAMED]: the manifest digest of a model that is there, or nothing; the first of several. NAMED: what
# named said, where it was asked a moment ago.
digest_of() {
    awk -F '\t' -v name="$1" 'tolower($1) == tolower(name) && !found++ { print $2 }' <<END
${2-$(named)}
END
}

# digests_of NAME:TAG [NAMED]: all of them, a line each.
digests_of() {
    awk -F '\t' -v name="$1" 'tolower($1) == tolower(name) { print $2 }' <<END
${2-$(named)}
END
}

# is NAME:TAG DIGEST [NAMED]: whether a model that is there has that manifest.
is() {
    awk -F '\t' -v name="$1" -v digest="${2:-none}" '
        tolower($1) == tolower(name) && $2 == digest { found = 1 }
        END { exit !found }' <<END
${3-$(named)}
END
}

# print_froms(): of an answer of /api/show, whose leaves are read, the files that its Modelfile is FROM, in their order: its
# weights come first. A function of awk. What a license or a prompt has in it is none: the engine quotes a text of several
# lines with " or """ (parser/parser.go, v0.32.15).
# shellcheck disable=SC2016 # awk's
print_froms='
    function print_froms(at) {
        for (at = 1; at <= count; at++) if (paths[at] == "modelfile") print_froms_of(values[at])
    }
    function print_froms_of(modelfile, lines, total, at, line, quotes) {
        gsub(/\\\\/, "\001", modelfile)
        total = split(modelfile, lines, /\\n/)
        for (at = 1; at <= total; at++) {
            line = lines[at]
            sub(/\\r$/, "", line)
            if (quotes != "") {
                if (index(line, quotes)) quotes = ""
            } else if (line ~ /^FROM /) {
                gsub("\001", "\\", line)
                print substr(line, 6)
            } else if (match(line, /^[A-Z]+ ([a-z_]+ )?"/)) {
                quotes = substr(line, RLENGTH, 3) == "\"\"\"" ? "\"\"\"" : "\""
                if (index(substr(line, RLENGTH + length(quotes)), quotes)) quotes = ""
            }
        }
    }'

# froms: of an answer of /api/show on stdin, the files that the model is FROM.
froms() {
    LC_ALL=C awk "$json_reader$print_froms"' function document() { print_froms() }'
}

# weights_of DIGEST [NAMED]: the blob behind a manifest that some name still has, or nothing.
weights_of() {
    whose=$(printf '%s\n' "${2-$(named)}" | awk -F '\t' -v digest="$1" '$2 == digest && !found++ { print $1 }')
    [ -z "$whose" ] || api 10 /api/show "{\"model\":\"$whose\"}" | froms |
        sed -n '1s/.*sha256-\([0-9a-f]\{64\}\)$/\1/p'
}

# held: what Ollama holds in memory: DIGEST BYTES BYTES_IN_GPU WINDOW EXPIRY NAME of each.
held() {
    api 10 /api/ps | held_in
}

# held_in: the same of an answer of /api/ps on stdin.
held_in() {
    rows models digest size size_vram context_length expires_at name
}

# runner WEIGHTS DIGESTS [HELD]: what is held of the weights. A runner is found by them and keeps the digest under which it
# was loaded: one of those known for the weights, or one that a name still has. HELD: what held said, where it was asked
# a moment ago.
runner() {
    loaded_now=${3-$(held)}
    # Those that are known first: to ask what another one is made of takes longer than all the rest.
    awk -F '\t' -v known=" $2 " '
        $1 != "" && index(known, " " $1 " ") && !found++ { print }
        END { exit !found }' <<END && return
$loaded_now
END
    for digest in $(printf '%s\n' "$loaded_now" | cut -f 1); do
        [ "$(weights_of "$digest")" = "$1" ] || continue
        printf '%s\n' "$loaded_now" | grep "^$digest	" && return
    done
}

# error_in ANSWER: what an API answer says went wrong, in short and on one line; of what is no JSON, all of it.
error_in() {
    {
        printf '%s\n' "${1%
HTTP *}" | value_of error | grep -a . || printf '%s\n' "$1" | tr -s '\n\t\r' ' ' | sed 's/^ //; s/ $//; s/\\/\\\\/g'
    } | plain | LC_ALL=C awk '
        {
            for (end = 600; substr($0, end + 1, 1) >= "\200" && substr($0, end + 1, 1) < "\300"; end--); # within a letter
            print substr($0, 1, end) (length($0) > end ? "..." : "")
        }'
}

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

leaving='about to be unloaded' away='not in memory'

# for_ever TIME: whether a runner that expires then stays: the end of time, as Go counts it, is a keep_alive of -1.
for_ever() {
    case $1 in 2[2-9][0-9][0-9]-*) ;; *) return 1 ;; esac
}

# leaves TIME: whether a runner that expires then is about to be unloaded: it goes when it is idle, whoever asked for
# it since (server/sched.go, v0.32.15). The engine tells the time in its own zone, which need not be the host's.
leaves() {
    ! for_ever "$1" || return 1
    case $1 in [0-9]*-*T*) expiry=$(date -d "$1" '+%s%3N' 2>/dev/null) || return ;; *) return 1 ;; esac
    [ "$expiry" -le "$(date '+%s%3N')" ]
}

# prove WEIGHTS DIGESTS WINDOWS GPU(yes|no) [RUNNER]: that a runner holds the weights, with one of these windows; prints
# its bytes in GPU memory and its window, or what is wrong and fails. RUNNER: what runner says, where it is known.
prove() {
    found=${5-$(runner "$1" "$2")}
    [ -n "$found" ] || { echo "$away" && return 1; }
    read -r _ size in_gpu window expires _ <<END
$found
END
    [ "$in_gpu" != - ] || in_gpu=0
    case " $3 " in
    *" $window "*) ;;
    *)
        # shellcheck disable=SC2086 # a line each
        other=$(printf '%s\n' $3 | sort -nu | paste -sd ' ')
        echo "context window of $window tokens, not $(printf '%s' "$other" | sed 's/ / or /g')" && return 1
        ;;
    esac
    case $keep_alive in *-*) ! leaves "$expires" || { echo "$leaving" && return 1; } ;; esac
    if [ "$4" = yes ] && [ "$in_gpu" != "$size" ]; then
        echo "only $in_gpu of its $size bytes in GPU memory" && return 1
    fi
    echo "$in_gpu $window"
}

# slots: the names of the slots that hold a model.
slots() {
    for file in "$state_dir"/*.slot; do
        file=${file##*/}
        [ "$file" = '*.slot' ] || echo "${file%.slot}"
    done
}

# value KEY NAME: what the state of a slot says.
value() {
    noted "$1" "$state_dir/$2.slot"
}

# gather WEIGHTS: sets what the states of all slots on these weights say, as words: the $digests that these may be loaded
# under, those that they were ($loads), the $windows that they may have, and in $places what is said of GPU memory.
gather() {
    digests='' loads='' windows='' places=''
    for file in "$state_dir"/*.slot; do
        its_weights='' its_digests='' its_load='' its_window='' its_place=''
        while IFS= read -r line || [ -n "$line" ]; do
            case $line in
            "weights="*) its_weights=${line#*=} ;;
            "variant="?* | "base="?*) its_digests="$its_digests ${line#*=}" ;;
            "loaded="?*) its_load=${line#*=} ;;
            "context="?*) its_window=${line#*=} ;;
            "gpu="?*) its_place=${line#*=} ;;
            esac
        done 2>/dev/null <"$file"
        [ "$its_weights" = "$1" ] || continue
        digests="$digests$its_digests $its_load" loads="$loads $its_load"
        windows="$windows $its_window" places="$places $its_place"
    done
}

# place GPU(yes|no): sets $placed to whether a slot has to be wholly in GPU memory, on a host that asks for that or does
# not. One whose num_gpu is for less need not, nor need another on the same weights, which are gathered: they share a runner.
place() {
    case $places in *no*) placed=no ;; *) placed=$1 ;; esac
}

# abridge DIGEST: sets $abridged to its first 12 digits.
# shellcheck disable=SC2034 # not everybody's
abridge() {
    abridged=${1%"${1#????????????}"}
}

# by_size: the slots that Ollama lists, the largest first: it loads a model beside others only into a part of what they
# leave. Last are those that need not be wholly in GPU memory, for which it does not look at that: the first one is to
# show whether it sees the GPU.
by_size() {
    {
        for it in $(slots); do
            gather "$(value weights "$it")"
            place yes
            printf 'slot\t%s\t%s\n' "$it" "$placed"
        done
        api 10 /api/tags | rows models name size
    } | awk -F '\t' '
        NF == 3 { it = tolower($2) ":latest"; slot[it] = $2; place[it] = $3; next }
        { it = tolower($1) }
        it in slot && !found[it]++ { print place[it], $2, slot[it] }' | sort -s -k 1,1r -k 2,2rn | cut -d ' ' -f 3
}

# proven NAME GPU(yes|no) [NAMED HELD]: that a slot is resident, as prove says it. Slots with the same weights share a
# runner; where they are allowed different windows, the one that was asked last has its own. NAMED, HELD: what named and
# held said a moment ago.
proven() {
    slots_weights=$(value weights "$1") own=''
    gather "$slots_weights"
    place "$2"
    for listed in $(digests_of "$1:latest" ${3+"$3"}); do own="$own $listed"; done
    # What the engine has made of the variant since (a manifest list, from 0.40 on) is it, too.
    case "$own " in *" $(value variant "$1") "*) digests="$digests$own" ;; esac
    prove "$slots_weights" "$digests" "$windows" "$placed" ${4+"$(runner "$slots_weights" "$digests" "$4")"}
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

# delete NAME:TAG: the manifest, and the blobs that no other manifest needs. Its runner is left alone.
delete() {
    [ -z "$(digest_of "$1")" ] || deleted=$(api 30 /api/delete "{\"model\":\"$1\"}" DELETE) || {
        error_in "$deleted" && return 1
    }
}

# one_at_a_time SECONDS WHAT: waits, bounded, for whoever changes this host's slots; a dead one's lock is gone.
one_at_a_time() {
    (umask 077 && : >>"$lock") && exec 9>>"$lock" # who can read it can hold it
    flock -w "$1" 9 || {
        echo "waited $1 s for $(cat "$lock") on this host; try again when it is done" >&2
        exit 1
    }
    echo "$2, begun at $(date '+%H:%M:%S') as process $$" >"$lock" # for whoever waits
}
