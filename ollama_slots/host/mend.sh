# What the watch does for a slot that is not in memory as declared.
# needs: look engine
# Set before: what look.sh needs, $watch (heal or report), $watching (look or heal, what is done now), $load_seconds

# meanwhile NAME CAUSE WHY: what is done about it now: "heal", or what a person is to know, or nothing.
meanwhile() {
    [ "$watch" = heal ] || { [ "$2" = expires ] || echo "$3" && return; }
    case $2 in
    silent) return ;;
    name) echo "$3: deploy again, or mount the disk of the models if it is gone" && return ;;
    away) case $keep_alive in *-*) ;; *) return ;; esac ;; # it was to go when nobody asked for it
    esac
    begun=$(noted since "$looks/$1") now=$(clock)
    lasts=$((now - ${begun:-now})) # seconds
    case $2 in
    # Somebody loads it, with options of his own, or a runner is late to end: both end.
    away) [ -z "$(processes "$1")" ] || { [ "$lasts" -ge 60 ] && ! works "$1"; } || return 0 ;;
    window | cpu | expires)
        if works "$1"; then
            [ "$2" = expires ] || [ "$lasts" -lt 60 ] || echo "$3, and in use: it is loaded again when it is idle"
            return
        fi
        ;;
    esac
    hindered=$([ "$2" = expires ] || hinders "$1")
    [ -z "$hindered" ] || { echo "$3, and $hindered" && return; }
    due "$1" "$2" || { [ "$2" = expires ] && soon "$1"; } || return 0
    echo heal
}

# hinders NAME: why a slot is not to be loaded now, or nothing.
hinders() {
    if in_gpu_memory "$1" && ! driven "$1"; then
        echo "nvidia-smi does not answer: it is loaded again when it does" && return
    fi
    strangers=$(in_the_way "$1")
    if [ -n "$strangers" ] && [ "$evicts" = no ]; then
        echo "no room for it beside $strangers: unload that, or set watch_evicts = True" && return
    fi
    busy=$(for it in $strangers; do ! works "$it" || echo "$it"; done | paste -sd ' ')
    busy=${busy:-$(crowded_by "$1")}
    [ -z "$busy" ] || echo "no room for it beside $busy, in use: it is loaded again when there is"
}

# driven NAME: whether the GPU's driver answers, where it is NVIDIA's: see of_nvidia, which what is asked here would hide
# from a unit that may open no device.
driven() {
    command -v nvidia-smi >/dev/null || return 0
    outside "$watching-$1" sh -c "{ [ ! -e '$proc/driver/nvidia' ] && [ -e '$kfd' ]; } || nvidia-smi -L" >/dev/null 2>&1
}

# stay NAME: it is told to stay for as long as is declared. No token is made, and nobody waits for it.
stay() {
    case $(value asks "$1") in embed) set -- "$1" embed ;; *) set -- "$1" generate ;; esac
    stayed=$(api 30 "/api/$2" "{\"model\":\"$1:latest\",\"keep_alive\":$keep_alive}") || { error_in "$stayed" && return 1; }
}

# smaller NAME: the slots that are loaded after it, the smallest first.
smaller() {
    after='' passed=''
    for it in $(by_size); do
        [ -z "$passed" ] || after="$it $after"
        [ "$it" != "$1" ] || passed=yes
    done
    echo "$after"
}

# wanted NAME: the bytes that have to be free for a slot, by what it took; nothing, where that is not known.
wanted() {
    took=$(noted bytes "$heals/$1")
    [ "${took:-0}" -gt 0 ] || return 0
    # Before 0.30 Ollama tries what fits, and leaves no fifth free: core/placing.py.
    case $(api 10 /api/version | value_of version) in 0.[12][0-9].*) ;; *) took=$((took * 5 / 4)) ;; esac
    echo "$took"
}

# crowded_by NAME: the slots at work, where there is no room for a slot beside them though the smaller idle ones made way,
# and what is to go for it: Ollama would wait for them, and all who need a load with it. Nothing, where that is not known,
# as where there would be no room by the same figures with nothing in memory.
crowded_by() {
    bytes=$(wanted "$1")
    left_out=$(entry "$1" | cut -f 1) at_work=''
    [ "$evicts" = no ] || left_out="$left_out $(others 1 | paste -sd ' ')"
    [ -n "$bytes" ] && ! spare "$bytes" "$left_out" || return 0
    spare "$bytes" "$(printf '%s\n' "$held_now" | cut -f 1 | paste -sd ' ')" || return 0
    small=" $(smaller "$1") "
    for it in $(slots); do
        its=$(entry "$it" | cut -f 1)
        case " $left_out " in *" $its "*) continue ;; esac # not in memory, or on the weights of one that was looked at
        if works "$it"; then
            at_work="$at_work${at_work:+ }$it"
        else
            case $small in *" $it "*) left_out="$left_out $its" ;; esac
        fi
    done
    [ -z "$at_work" ] || spare "$bytes" "$left_out" || echo "$at_work"
}

# make_room NAME: where a slot does not fit beside smaller ones, as far as that is known by what it took, those that are
# idle make way, the smallest first: which one Ollama would end, it may need the place of again. Sets $made_way.
make_room() {
    made_way=''
    # Once: none goes again for one that could not be loaded all the same.
    [ -z "$(noted wrong "$looks/$1")" ] || return 0
    bytes=$(wanted "$1")
    [ -n "$bytes" ] || return 0
    own=$(entry "$1" | cut -f 1)
    for it in $(smaller "$1"); do
        ! spare "$bytes" "$own" || return 0
        case $(entry "$it" | cut -f 3) in '' | - | 0) continue ;; esac # it has no GPU memory
        ! works "$it" || continue
        unload "$it:latest"
        made_way="$it $made_way"
        observe || return 0
    done
}

# load NAME CAUSE: loads a slot that is not in memory as declared, and prints the seconds; or what went wrong, and fails.
# What made way for it is loaded again after it, the largest first.
# Without a keep_alive, for Ollama has its own from the deploy: see works.
load() {
    if [ "$evicts" = yes ]; then
        for it in $(in_the_way "$1"); do unload "$it"; done
    fi
    [ "$2" != cpu ] || unload "$1:latest"
    made_way=''
    ! observe || make_room "$1"
    keep_alive='' # of these requests alone: load runs in a subshell
    answer "$1:latest" "$(value asks "$1")"
    code=$?
    for it in $made_way; do answer "$it:latest" "$(value asks "$it")" >/dev/null; done
    return "$code"
}

# mend NAME CAUSE WHY: has the slot in memory as declared, and says so, or what went wrong, and fails.
mend() {
    seconds=''
    if [ "$2" = expires ]; then
        wrong=$(stay "$1")
    else
        seconds=$(load "$1" "$2") && wrong='' || wrong=${seconds:-no answer}
    fi
    after=''
    if [ -z "$wrong" ]; then
        observe || wrong='Ollama does not answer'
        after=$([ -n "$wrong" ] || judge "$1")
        case $after in expires*) stay "$1" >/dev/null && observe && after=$(judge "$1") ;; esac
        wrong=${wrong:-${after#*	}}
    fi
    case $2,$after in
    # Somebody was loading it, with options of his own, and still has it: the next look sees that, and it is no try.
    away,window* | away,cpu* | ended,window* | ended,cpu*) return 0 ;;
    esac
    counts "$2"
    recall "$tries_key" "$looks/$1"
    tries=$((${keyed:-0} + 1))
    note "$looks/$1" "$tries_key=$tries" "$last_key=$(clock)" "wrong=${wrong:+yes}"
    often=''
    [ "$tries" -lt 5 ] || often="; $tries times in a row: the next time is after $(pause "$tries") s"
    [ "$2" != expires ] || often=${often:+$often, or shortly before it goes}
    if [ -n "$wrong" ]; then
        echo "<3>$1: $3; loaded again, and not resident as declared: $wrong$often"
        return 1
    fi
    recall "$2" "$heals/$1"
    note "$heals/$1" "$2=$((${keyed:-0} + 1))" ${seconds:+"seconds=$seconds"}
    case $2 in
    expires) [ "$tries" -gt 5 ] || echo "<5>$1: $3: told to stay$often" ;;
    *) echo "<5>$1: $3: loaded again in $seconds s$often" ;;
    esac
}
