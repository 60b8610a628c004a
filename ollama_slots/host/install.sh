# Puts files in place, each whole or not at all.
# needs: replace
# takes: nothing
# lists: PATH MODE TEXT...
set -eu
while [ $# -ge 3 ]; do
    install -d -m 755 "${1%/*}"
    printf '%s' "$3" >"$1.new"
    chmod "$2" "$1.new"
    replace "$1.new" "$1"
    shift 3
done
