# The watch's look at the slots: which are in memory as declared, by what Ollama holds and which processes live. Nothing
# is asked of any model.
# needs: residency cards
# Set before: $main (Ollama's process, or 0), $gpu (yes|no: a slot must be wholly in GPU memory, unless its state says
# otherwise), $keep_alive, $most (models that Ollama holds at once), $watch_seconds (a look comes after nine tenths of
# them), $evicts (yes|no: for a slot, models of somebody else's are unloaded)

# glance: sets what Ollama answers, and what its processes have; fails where it does not answer.
glance() {
    tags_now=$(api 10 /api/tags) && ps_now=$(api 10 /api/ps) || return
    live_now=$(weights_held "$main") || : # it holds nothing
}

# observe: the same, and reads it.
observe() {
    glance && read_glance
}

# read_glance: sets what Ollama lists and holds, as lines.
read_glance() {
    named_now=$(printf '%s\n' "$tags_now" | named_in)
    held_now=$(printf '%s\n' "$ps_now" | held_in)
    weighed_now=$(weighed)
}

# weighed: what Ollama holds, the weights before each: as a slot's state has them; else Ollama is asked.
weighed() {
    {
        for file in "$previous_states"/*.slot "$state_dir"/*.slot; do
            [ ! -e "$file" ] || cat "$file"
        done
        printf '%s\n' "$held_now"
    } | awk -F '[=\t]' '
        /\t/ { print ($1 in of ? of[$1] : "?") "\t" $0 }
        $1 == "base" { base = $2 }
        $1 == "weights" { of[base] = weights = $2 }
        $1 ~ /^(variant|loaded)$/ { of[$2] = weights }' | while IFS= read -r line; do
        case $line in
        '?'*)
            line=${line#??}
            printf '%s\t%s\n' "$(weights_of "${line%%	*}" "$named_now")" "$line"
            ;;
        *) printf '%s\n' "$line" ;;
        esac
    done
}

# picture: all that a judgement depends on. When a runner goes that stays for ever, is another time with each request;
# and of models with the same time another one may come first with each answer.
picture() {
    printf '%s\n' "$gpu $keep_alive" "$live_now"
    printf '%s\n' "$tags_now" "$ps_now" | sed 's/"expires_at":"2[2-9][0-9][0-9]-[^"]*"/ever/g' | tr '{' '\n' |
        sed 's/[],}]*$//' | sort
    cat "$state_dir"/*.slot "$looks"/* 2>/dev/null
}

# processes NAME: the directories in /proc of those that hold a slot's weights, or those of a model of somebody else's, by
# the name that Ollama has for it.
processes() {
    on=$(value weights "$1")
    if [ -n "$on" ]; then
        gather "$on"
        [ -z "${weighed_now-}" ] || on="$on $(entry "$1" weights)"
    else
        loads=$(printf '%s\n' "${weighed_now-}" | awk -F '\t' -v name="$1" '$7 == name { print $1, $2 }')
        on=$loads
    fi
    patterns=''
    for digest in $on; do patterns="$patterns -e sha256-$digest"; done
    for digest in $loads; do
        abridge "$digest"
        patterns="$patterns -e [.]ollama-split-$abridged-"
    done
    # shellcheck disable=SC2086 # a pattern a word
    [ -z "$patterns" ] || command_lines "$main" | xargs grep -als $patterns | sed 's|/cmdline$||'
}

# lives WEIGHTS: whether a process had them on its command line at that glance.
lives() {
    case "
$live_now
" in *"
sha256-$1
"*) return 0 ;; esac
    gather "$1"
    for digest in $loads; do
        abridge "$digest"
        case "
$live_now
" in *"
.ollama-split-$abridged
"*) return 0 ;; esac
    done
    return 1
}

# judge NAME: nothing, where the slot is resident as declared; else a cause and, after a tab, what is wrong:
# name: its name means something else, which a deploy has to mend; away: not in memory; ended: its process has died;
# window: another context window; cpu: not wholly in GPU memory; expires: it will be unloaded.
judge() {
    is "$1:latest" "$(value variant "$1")" "$named_now" || {
        [ -n "$(digest_of "$1:latest" "$named_now")" ] && it="Ollama lists another" || it="Ollama does not list it"
        printf 'name\texpected %s as it was made, found that %s\n' "$1:latest" "$it" && return
    }
    weights=$(value weights "$1") held_entry=$(entry "$1")
    gather "$weights"
    place "$gpu"
    if said=$(prove "$weights" '' "$windows" "$placed" "$held_entry"); then
        lives "$weights" || lives "$(entry "$1" weights)" || { printf 'ended\tits runner has ended\n' && return; }
        case $keep_alive in *-*) ;; *) return ;; esac
        expires=$(printf '%s\n' "$held_entry" | cut -f 5)
        for_ever "$expires" || printf 'expires\texpires at %s\n' "$expires"
        return
    fi
    case $said in
    "$away" | "$leaving") printf 'away\t%s\n' "$said" ;; # it goes whatever it is told
    only*) printf 'cpu\t%s\n' "$said" ;;
    *) printf 'window\t%s\n' "$said" ;;
    esac
}

# entry NAME [weights]: what /api/ps has of the slot's weights, or which these are: what Ollama has made of a variant since
# (from 0.40 on) has others than its state.
entry() {
    awk -F '\t' -v weights="$(value weights "$1")" -v name="$1:latest" -v asked="${2-}" '
        NF == 2 { if (tolower($1) == tolower(name)) own[$2]; next } # of what is named
        ($1 == weights || ($2 != "" && $2 in own)) && !found++ {
            if (asked == "weights") { print $1; next }
            sub(/^[^\t]*\t/, "")
            print
        }' <<END
$named_now
$weighed_now
END
}

# works NAME...: whether a runner of theirs is at work for somebody: then nothing that would wait for it, or end it, is
# asked of Ollama. (Who waits for a runner to go holds up all whose models are not loaded; and one more request for it
# with a keep_alive may stop Ollama's scheduler for good: server/sched.go, v0.34.4.)
works() {
    spent=$(ticks "$@")
    sleep 0.3
    [ "$(ticks "$@")" != "$spent" ]
}

# ticks NAME...: what their processes have had of the processor, in hundredths of a second.
ticks() {
    # shellcheck disable=SC2016 # awk's
    for it in "$@"; do processes "$it"; done | sed 's|$|/stat|' | xargs awk '{ sub(/.*\) /, ""); print $12 + $13 }' 2>/dev/null
}

# others [COLUMN]: the models in memory that no slot is on, NAME:TAG each, or another column of what is held.
others() {
    mine=$(for name in $(slots); do entry "$name" | cut -f 1; done)
    printf '%s\n' "$held_now" | awk -F '\t' -v mine=" $(printf '%s' "$mine" | tr '\n' ' ') " -v column="${1:-6}" '
        $1 != "" && !index(mine, " " $1 " ") { print $column }' | sort # Ollama's order changes with their use
}

# in_the_way NAME: nothing, where a slot that is not in memory can be loaded with nothing of somebody else's unloaded for it;
# else those models. As far as that is known: by how many Ollama holds, and where it was in GPU memory by what it took
# then and what Ollama found at its start, a fifth of which it leaves free (server/sched.go, v0.32.15).
in_the_way() {
    strangers=$(others)
    [ -n "$strangers" ] || return 0
    own=$(entry "$1" | cut -f 1) # it has its place, though its runner has died
    if [ "$(printf '%s\n' "$held_now" | awk -F '\t' -v own="$own" '$1 != "" && $1 != own' | grep -c .)" -lt "$most" ]; then
        took=$(noted bytes "$heals/$1")
        [ "${took:-0}" -gt 0 ] || in_gpu_memory "$1" || return 0
        spare "$((${took:-0} * 5 / 4))" "$own" && return
    fi
    printf '%s\n' "$strangers" | paste -sd ' '
}

# in_gpu_memory NAME: whether a slot has to be.
in_gpu_memory() {
    gather "$(value weights "$1")"
    place "$gpu"
    [ "$placed" = yes ]
}

# spare BYTES [DIGESTS]: whether so many are left of what Ollama found at its start, as far as that is known; what was
# loaded as one of DIGESTS is not counted.
spare() {
    found_now=$(found)
    case $found_now in *library=CUDA* | *library=cuda*) its_driver=671088640 ;; *) its_driver=0 ;; esac
    {
        cards_found "$found_now"
        printf '%s\n' "$held_now" | awk -F '\t' -v left_out=" $2 " '
            $1 != "" && $3 + 0 && !index(left_out, " " $1 " ") { print "held", $3 }'
    } | awk -v wanted="$1" -v its_driver="$its_driver" '
        $1 == "held" { taken += $2 + its_driver; next } # the driver has its part for each: core/cards.py
        { free += $2; known = 1 }
        END { exit known && wanted > free - taken }'
}

# counts CAUSE: sets $tries_key and $last_key, by which it is noted how often in a row something was done for a slot, and
# when: apart for one that was only told to stay, which must not have it away for long where it leaves all the same.
counts() {
    case $1 in expires) tries_key=stays last_key=stayed ;; *) tries_key=tries last_key=tried ;; esac
}

# due NAME CAUSE: whether it is time to do something for a slot: at once, then again and again, each time twice as long
# after the one before. One that was well for ten looks begins anew.
due() {
    counts "$2"
    times=$(noted "$tries_key" "$looks/$1") last=$(noted "$last_key" "$looks/$1")
    [ "${times:-0}" -le 1 ] || [ "$(($(clock) - last))" -ge "$(pause "$times")" ]
}

# soon NAME: whether a slot that expires goes before the watch has looked three times more, as far as that can be told.
soon() {
    goes=$(date -d "$(entry "$1" | cut -f 5)" '+%s' 2>/dev/null) || return 0
    [ "$((goes - $(date '+%s')))" -le "$((3 * watch_seconds))" ]
}

# pause TRIES: the seconds after so many.
pause() {
    wait_s=$watch_seconds left=$1
    while [ "$left" -gt 1 ] && [ "$wait_s" -lt 3600 ]; do
        wait_s=$((wait_s * 2)) left=$((left - 1))
    done
    echo "$((wait_s < 3600 ? wait_s : 3600))"
}
