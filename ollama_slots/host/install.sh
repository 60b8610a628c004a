# Puts files in place, each whole or not at all, and has systemd know of them.
# needs: replace
# takes: gone reload enable
# lists: PATH MODE BYTES...
# stdin: the texts, one after another
# gone: a file that is to go, or nothing; reload (yes|no): systemd reads its units again; enable: units, or nothing
set -eu
paths=''
while [ $# -ge 3 ]; do
    [ -d "${1%/*}" ] || install -d -m 755 "${1%/*}"
    timeout 60 head -c "$3" >"$1.new"
    [ "$(stat -c %s "$1.new")" = "$3" ] || {
        for path in $paths "$1"; do rm -f "$path.new"; done
        echo "$1 did not arrive as it was sent, on the script's stdin (which _su_password takes)" >&2
        exit 1
    }
    chmod "$2" "$1.new"
    paths="$paths $1"
    shift 3
done
# shellcheck disable=SC2086 # a path a word; all at once, for which a disk takes little longer than for one
[ -z "$paths" ] || replace $paths
[ -z "$gone" ] || rm -f "$gone"
# To enable a unit has systemd read all units anew, too; that takes it as long as all else here, and once is enough.
if [ -n "$enable" ]; then
    # shellcheck disable=SC2086 # units
    systemctl enable --quiet $enable
elif [ "$reload" = yes ]; then
    systemctl daemon-reload
fi
