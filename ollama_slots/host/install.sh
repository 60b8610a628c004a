# Puts files in place, each whole or not at all. Arguments: PATH MODE TEXT, and again.
set -eu
while [ $# -ge 3 ]; do
    install -d -m 755 "${1%/*}"
    printf '%s' "$3" >"$1.new"
    chmod "$2" "$1.new"
    sync "$1.new"
    mv "$1.new" "$1"
    sync "${1%/*}"
    shift 3
done
