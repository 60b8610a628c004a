# Records: a slot's state, what the watch keeps of it; KEY=VALUE lines each.

# keyed KEY: what the record on stdin says. By the shell itself, for that is asked often.
keyed() {
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in "$1="*) printf '%s\n' "${line#*=}" && return ;; esac
    done
}

# noted KEY FILE: what the record in a file says; nothing, where there is none.
noted() {
    keyed "$1" 2>/dev/null <"$2"
}

# note FILE KEY=VALUE...: it says so from now on; without a value no more.
note() {
    file=$1 unwritten=${1%/*}/.${1##*/}
    shift
    { for it in "$@"; do echo "$it"; done; cat "$file" 2>/dev/null; } |
        awk -F = '!seen[$1]++ && $2 != ""' >"$unwritten" && mv "$unwritten" "$file"
}
