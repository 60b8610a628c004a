# The records of the watch: a file for each slot with KEY=VALUE lines.

# noted KEY FILE: what a record says.
noted() {
    sed -n "s/^$1=//p" "$2" 2>/dev/null
}

# note FILE KEY=VALUE...: it says so from now on; without a value no more.
note() {
    file=$1 unwritten=${1%/*}/.${1##*/}
    shift
    { for it in "$@"; do echo "$it"; done; cat "$file" 2>/dev/null; } |
        awk -F = '!seen[$1]++ && $2 != ""' >"$unwritten" && mv "$unwritten" "$file"
}
