# Records: a slot's state, what the watch keeps of it; KEY=VALUE lines each.

# They are read by the shell itself, for that is asked often.

# keyed KEY: sets $keyed to what the record on stdin says; to nothing, where it does not say it.
keyed() {
    keyed=''
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in "$1="*) keyed=${line#*=} && return ;; esac
    done
}

# recall KEY FILE: the same of the record in a file; nothing, where there is none.
recall() {
    { keyed "$1" <"$2"; } 2>/dev/null || keyed=''
}

# noted KEY FILE: prints it.
noted() {
    recall "$1" "$2"
    [ -z "$keyed" ] || printf '%s\n' "$keyed"
}

# note FILE KEY=VALUE...: it says so from now on; without a value no more. A look and a heal note at the same time.
note() {
    file=$1 unwritten=${1%/*}/.${1##*/}
    shift
    {
        flock -w 5 7 || return
        # Written by printf, for the awk of busybox says nothing of a full disk.
        record_now=$({ for it in "$@"; do echo "$it"; done; cat "$file" 2>/dev/null; } |
            awk -F = '!seen[$1]++ && $2 != ""') &&
            { [ -z "$record_now" ] || printf '%s\n' "$record_now"; } >"$unwritten" && mv "$unwritten" "$file"
    } 7<"${file%/*}"
}
