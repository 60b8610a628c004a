# Asks a model questions, one after another: shared by questions.sh, for slots, and trial.sh, for candidates.
# needs: look gpus
# Set before: $url, $seconds (the bound of one answer), $bytes (of stdin), $mark (before each line), $polite (yes|no: it
# waits while a slot is at work), $opens and $closes (HHMM: when it may ask; or nothing), $turn (seconds after which no
# other question is begun), $loaded (the seconds that the model took to load, where it was not there), and a function
# resident, which prints the bytes of GPU memory that it holds, or why it is not resident.
# The mark is put there here, past no other process: an answer is on its way when it is made, and where the connection
# has broken, this ends with the line that finds it so.
# stdin: the questions, a line each: chat, generate or show, and the request's body in ASCII. A command line is bounded.
# Before them: timed, where it is told how busy the host was.
# A line has the answer, and below it the seconds to its first byte and to its last, the HTTP status and curl's exit code,
# and of a timed one how busy the host was before it and after it, in percent, all in base64; then $loaded, the bytes and
# the word resident, or why it is not any more. In the end == and end, or why it ended before all were asked: later (the
# turn is over), users (they kept it waiting for that long), closed (it may not ask at this time), or it is not resident.

# arrived: sets the questions; fails, having said so, where they are not as they were sent.
arrived() {
    questions=$(timeout 60 cat && echo .)
    questions=${questions%.}
    [ "${#questions}" = "$bytes" ] && return
    echo "the questions did not arrive as they were sent, on the script's stdin (which _su_password takes)" >&2
    return 1
}

# open_now: whether it may ask at this time of the day.
open_now() {
    now=$(date '+%H%M')
    if [ -z "$opens" ]; then
        return
    elif [ "$opens" -lt "$closes" ]; then
        [ "$now" -ge "$opens" ] && [ "$now" -lt "$closes" ]
    else
        [ "$now" -ge "$opens" ] || [ "$now" -lt "$closes" ]
    fi
}

# turn_is_over: whether no other question is to be begun, since $turn_began.
turn_is_over() {
    [ "$(($(clock) - turn_began))" -ge "$turn" ]
}

# not_now: waits, bounded, until no slot is at work; prints why nothing is to be asked now, or nothing.
not_now() {
    open_now || { echo closed && return; }
    ! turn_is_over || { echo later && return; }
    # shellcheck disable=SC2046 # names
    while [ "$polite" = yes ] && works $(slots); do
        ! turn_is_over || { echo users && return; }
        sleep 1
    done
}

# processors: what all of them have done since the boot.
processors() {
    sed -n 's/^cpu  *//p' "$proc/stat"
}

# occupied: how busy the host is, in percent: the busiest of its GPUs, by its driver, else its processors, in a second in
# which nothing is asked. (The load of a minute has in it what was asked before.)
occupied() {
    spent=$(processors)
    sleep 1
    worked=$(! of_nvidia || driver 10 --query-gpu=utilization.gpu --format=csv,noheader,nounits 2>/dev/null | sort -n | tail -n 1)
    case $worked in
    '' | *[!0-9]*) printf '%s\n' "$spent" "$(processors)" | awk '
        {
            all = 0
            for (at = 1; at <= 8; at++) all += $at
            idle = $4 + $5
            passed = all - before
            if (NR == 2 && all) print (passed > 0 ? int(100 * (1 - (idle - idled) / passed) + 0.5) : 0)
            before = all; idled = idle
        }' ;;
    *) echo "$worked" ;;
    esac
}

# asked: has one question answered, as curl tells of it.
asked() {
    printf '%s' "$body" | ask --max-time "$seconds" -H Expect: --data-binary @- \
        -w '\n%{time_starttransfer} %{time_total} %{http_code} ' "$url/api/$way" 2>&1
}

# is_resident: whether $is, what resident said, says that it is.
is_resident() {
    case $is in '' | *[!0-9]*) return 1 ;; esac
}

# ask_all: asks the questions.
ask_all() {
    turn_began=$(clock) is=0
    printf '%s' "$questions" | {
        while read -r way body; do
            timed=no
            case $way in timed) timed=yes way=${body%% *} body=${body#* } ;; esac
            is=$(not_now)
            is=${is:-$(resident)}
            is_resident || break
            printf '%s' "$mark" || exit
            {
                [ "$timed" = no ] || before=$(occupied)
                asked
                code=$?
                [ "$timed" = no ] || code="$code $before $(occupied)"
                echo "$code"
            } | base64 | tr -d '\n'
            is=$(resident)
            is_resident || { echo " $is" && break; }
            echo " ${loaded:-0} $is resident" || exit
            loaded=''
        done
        ! is_resident || is=end
        echo "$mark== $is"
    }
}
