# Prints what every model in the engine's store is made of: its manifest, after its name as the store has it, and the
# manifests that a manifest list is of, after their digests. Then what pulls of ours that were not finished have left:
# digest, time, bytes, and the record of it.
# Changes nothing.
# needs: unfinished
# takes: nothing
use_blobs && cd "$store" || exit 1

# each_name COMMAND: runs it with the file of each model's name; the engine looks into manifests-v2 first.
each_name() {
    for file in manifests-v2/*/*/*/* manifests/*/*/*/*; do
        [ ! -f "$file" ] || "$@" "$file"
    done
}

told() {
    printf '%s %s\n' "${1#*/}" "$(tr -d '\n' <"$1")"
}

# parts FILE: the manifests that a manifest list is of.
parts() {
    grep -qs manifests "$1" || return 0
    rows manifests digest <"$1" | grep -x 'sha256:[0-9a-f]\{64\}' | while IFS= read -r digest; do
        find -L "blobs/sha256-${digest#*:}" -size -200k -exec cat {} + 2>/dev/null | tr -d '\n' | sed "s/^/$digest /"
        echo
    done
}

echo "== manifests"
each_name told
echo "== parts"
each_name parts
echo "== unfinished"
for blob in $(recorded); do
    when=$(left "$blob")
    bytes=$(files_of "$blob" %b | awk '{ blocks += $1 } END { printf "%.0f", 512 * blocks }')
    [ -z "$when" ] || echo "$blob $when $bytes $(cat "$unfinished/$blob")"
done
echo "== end"
