# Asks a candidate of the benchmark questions, as questions.sh asks a slot. It is loaded where it is not in memory, and
# only where that evicts nothing, or slots make way for it; in the end each slot that was resident has to be so still or
# again. Takes the lock, so that no rotation and no watch loads a model meanwhile; a deploy has its turn after it.
# needs: asking engine
# takes: url keep_alive stay load_seconds lock_seconds model candidate variant blob context gpu whole needs most makes_way seconds polite opens closes turn bytes mark
# keep_alive: the slots'; stay: the candidate's; model: its base; candidate: its name on the host; variant: its manifest
# digest; blob: the sha256 of its weights; context: its window; gpu (yes|no): slots have to be wholly in GPU memory; whole (yes|no): so has it; needs: the
# bytes of GPU memory that have to be free before it is loaded, or nothing; most: models that Ollama holds at once;
# makes_way (yes|no): slots are unloaded where it does not fit beside them; all else, what is on stdin, and what it
# prints: see asking.sh
loaded='' made_way='' beside="beside what is in memory"
arrived || exit 1
one_at_a_time "$lock_seconds" "the benchmark of $model"
main=$(engine_pid)

resident() {
    if ! is "$candidate:latest" "$variant"; then
        echo "$candidate:latest is another model by now"
    elif why=$(prove "$blob" "$variant" "$context" "$whole"); then
        echo "${why% *}"
    else
        echo "$why"
    fi
}

have_look() { # of the watch: it waits for no lock, and the next command takes it at once
    flock -u 9
    ! systemctl is-active --quiet "$watch_timer" || timeout 60 systemctl start "$watcher" >/dev/null 2>&1
}

end_with() { # end_with WHY: nothing is asked
    echo "$mark== $*"
    have_look
    exit 0
}

no_room() { # prints why something would be unloaded for it
    held=$(printf '%s\n' "$held_now" | grep -c .)
    [ "$held" -lt "$most" ] || { echo "$held of at most $most models are in memory" && return; }
    [ "$held" -gt 0 ] || return 0 # alone it is loaded as it is; whether wholly into GPU memory is seen then
    [ -z "$needs" ] || spare "$needs" || awk -v bytes="$needs" 'BEGIN { printf "%.1f GiB of GPU memory are not free\n", bytes / 2 ^ 30 }'
}

make_way() { # unloads slots until it fits; sets $why to why it does not even then
    trap '' HUP PIPE # they come back, whoever waits for it or not
    trap 'exit 1' INT TERM
    trap come_back EXIT
    full=$why ordered='' first='' last='' here=''
    # The last ones that the warm-up would load go first, so that those that stay are not in the way of their return; but
    # who has nothing in GPU memory goes last.
    for it in $(by_size); do
        case " $were " in *" $it "*) ;; *) continue ;; esac
        ordered="$ordered $it"
        gather "$(value weights "$it")"
        place yes
        if [ "$placed" = yes ]; then first="$it $first"; else last="$it $last"; fi
    done
    for it in $first $last; do
        unload "$it:latest"
        observe || { why="Ollama does not answer" && break; }
        why=$(no_room)
        # Who sent it here saw more than this host tells of itself, where that has found room from the beginning.
        [ -z "$full" ] || [ -n "$why" ] || break
    done
    for it in $ordered; do
        if proven "$it" "$gpu" >/dev/null; then here="$here $it"; else made_way="$made_way $it"; fi
    done
    were=$here
}

come_back() { # those slots are loaded again, as the warm-up does it
    [ -n "$made_way" ] || return 0
    unload "$candidate:latest"
    for it in $made_way; do
        answer "$it:latest" "$(value asks "$it")" >/dev/null
    done
    were="$were $made_way" made_way=''
}

lost() { # the slots that were resident and are not; what has left memory is loaded again, the candidate unloaded first
    for it in $were; do
        why=$(proven "$it" "$gpu") && continue
        if [ "$why" = "$away" ]; then
            unload "$candidate:latest"
            again=$(keep_alive='' && answer "$it:latest" "$(value asks "$it")") && again="loaded again"
            why="$why: $again"
        fi
        echo "slot $it: resident before, and then $why"
    done | paste -sd ';' | sed 's/;/; /g'
}

give_up() { # give_up WHY: slots that made way come back, and what is lost all the same is told, too
    come_back
    gone=$(lost)
    end_with "$1${gone:+; $gone}"
}

observe || end_with "Ollama does not answer"
# shellcheck disable=SC2046 # names
set -- $(grep -lsF "weights=$blob" "$state_dir"/*.slot)
[ $# -eq 0 ] || end_with "slot $(basename "$1" .slot) has its weights by now: that is asked in its place"
were=$(for it in $(slots); do ! proven "$it" "$gpu" >/dev/null || printf ' %s' "$it"; done)
is=$(resident)
if [ "$is" = "$away" ]; then
    turn_began=$(clock)
    why=$(not_now)
    [ -z "$why" ] || end_with "$why"
    why=$(no_room)
    if [ "$makes_way" = yes ]; then
        make_way
        beside="where slots make way for it"
    fi
    [ -z "$why" ] || give_up "does not fit $beside: $why"
    if loaded=$(keep_alive=$stay && answer "$candidate:latest" ''); then is=$(resident); else is="does not load: $loaded"; fi
    is_resident || { unload "$candidate:latest"; give_up "$is"; }
    gone=$(lost)
    [ -z "$gone" ] || give_up "$gone"
fi
is_resident || end_with "$is"
ask_all
come_back
gone=$(lost)
[ -z "$gone" ] || echo "$mark== $gone"
have_look
exit 0
