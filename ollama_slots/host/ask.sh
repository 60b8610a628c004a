# Requests to Ollama: at its address, past every proxy and .curlrc, with a time limit.

# Red Hat's sudo leaves /usr/local out, where nvidia-smi may be.
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
by='' # see ask

# ask OPTION...: a request to Ollama. The owner's proxy and .curlrc are for the way out of the host. (curl's --noproxy
# would hold for the first of several requests only.) Before 7.75 it tells a time with the decimal comma of the locale. Who
# has to end curl itself sets $by to exec, in a subshell.
ask() {
    NO_PROXY='*' no_proxy='*' LC_ALL=C $by curl -q -sS "$@"
}

# hear SECONDS PATH [BODY [METHOD]]: sets $heard, the answer of $url, and $heard_s, the seconds that it took; fails, with
# the error in $heard, on anything but HTTP 2xx (curl can do that itself only since 7.76).
# shellcheck disable=SC2034 # not everybody asks for the seconds
hear() {
    heard=$(by='exec' && ask --max-time "$1" -w '\n%{time_total} %{http_code}' ${3:+-d "$3"} ${4:+-X "$4"} "$url$2" 2>&1)
    set -- "$?" "${heard##*
}"
    heard=${heard%
*} heard_s=${2% *}
    case $1,$2 in
    0,*" 2"??) ;;
    0,*) heard="$heard
HTTP ${2#* }" && return 1 ;;
    *) return 1 ;;
    esac
}

# api SECONDS PATH [BODY [METHOD]]: prints the answer, or the error and fails.
api() {
    hear "$@"
    set -- "$?"
    printf '%s\n' "$heard"
    return "$1"
}

# scratch: makes a directory for what a script keeps for as long as it runs, and prints its path: in memory, for a disk may
# be full.
scratch() {
    mktemp -d -p "$memory_disk" 2>/dev/null || mktemp -d
}

# clock: whole seconds since the boot, as the start of a process tells them, which that of a $(clock) is: the date may
# jump, above all at a boot, and a unit with ProcSubset=pid has no /proc/uptime.
clock() {
    IFS= read -r now_runs <"$own_process/stat"
    # shellcheck disable=SC2086 # what follows the name of the program: numbers
    set -- ${now_runs##*) }
    echo $((${20} / 100))
}

# listening PID: the address at which a process takes connections, as a URL; nothing, where it does not. One that takes
# them at all addresses is asked on loopback. As the kernel has it, whatever OLLAMA_HOST says and where it was set.
listening() {
    sockets=$(find "$proc/$1/fd" -lname 'socket:*' -printf '%l ' 2>/dev/null)
    for it in "$proc/$1/net/tcp" "$proc/$1/net/tcp6"; do
        while IFS=' ' read -r _ at _ state_now _ _ _ _ _ socket _; do
            case $state_now,$sockets in
            0A,*"socket:[$socket]"*) url_at "$at" && return ;;
            0A,* | st,*) ;; # somebody else's; the heading
            *) break ;; # those that listen come first, and to go through the others takes the kernel milliseconds
            esac
        done <"$it"
    done 2>/dev/null || : # it ended
}

# url_at ADDRESS:PORT: prints that as a URL. The kernel has it in hexadecimal, each four bytes of an address in the order
# of the processor.
url_at() {
    rest=${1%:*} at=''
    case $rest in *[!0]*) ;; *) rest=0100007F ;; esac
    if [ "${#rest}" = 8 ]; then
        at=$((0x$rest & 255)).$((0x$rest >> 8 & 255)).$((0x$rest >> 16 & 255)).$((0x$rest >> 24))
    else
        while [ -n "$rest" ]; do
            high=${rest%"${rest#????}"} rest=${rest#????}
            low=${rest%"${rest#????}"} rest=${rest#????}
            at=$at:${low#??}${low%??}:${high#??}${high%??}
        done
        at="[${at#:}]"
    fi
    echo "http://$at:$((0x${1##*:}))"
}

# children PIDS: the processes that these have started.
children() {
    grep -s '^PPid:' "$proc"/[0-9]*/status | awk -F '[/:\t]+' -v parents=" $1 " 'index(parents, " " $NF " ") { print $(NF - 3) }' | tr '\n' ' '
}

# serving MAIN: the process of Ollama and the address at which it listens, by the unit's main process, or 0. Where that
# is a script that started it, Ollama is the first below it that takes connections; what Ollama starts itself, its
# runners, is below that.
serving() {
    level=${1:-0}
    while [ "$level" ] && [ "$level" != 0 ]; do
        for pid in $level; do
            at=$(listening "$pid")
            [ -z "$at" ] || { echo "$pid $at" && return; }
        done
        level=$(children "$level")
    done
    echo "${1:-0} "
}

# engine_pid: the process of the running Ollama, or 0.
engine_pid() {
    served=$(serving "$(systemctl show --property=MainPID --value "$unit")")
    echo "${served%% *}"
}

# command_lines PID: the files with the command lines of a process, or 0, and of all below it. What another Ollama of this host
# runs, in a container or as a unit of its own, is none of these.
command_lines() {
    grep -s '^PPid:' "$proc"/[0-9]*/status /dev/null | awk -F '[/:\t]+' -v first="$1" -v proc="$proc" '
        { parent[$(NF - 3)] = $NF }
        END {
            for (pid in parent) {
                up = pid
                for (level = 0; up != first && up in parent && level < 99; level++) up = parent[up]
                if (first && up == first) print proc "/" pid "/cmdline"
            }
        }'
}

# weights_held PID: the weights that a process, and all below it, have on their command lines. Of split ones they have the
# digest by which they were loaded (llm/model_split.go, v0.34.4).
weights_held() {
    # shellcheck disable=SC2046 # a path a line, without spaces
    set -- $(command_lines "$1")
    [ $# -eq 0 ] || grep -aohsE 'sha256-[0-9a-f]{64}|\.ollama-split-[0-9a-f]{12}' "$@"
}
