# Shared by the scripts on a host: what the slots' states say, and the proof that a slot is resident as they say it.
# needs: models records
# Set before: $keep_alive (JSON; nothing: Ollama's own)

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
