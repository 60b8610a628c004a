# Prints what every model in the engine's store is made of: its manifest, after its name as the store has it. Then
# what pulls of ours that were not finished have left: digest, time, bytes, and the record of it.
# Changes nothing. Follows ask.sh, engine.sh, store.sh and unfinished.sh.
use_blobs && cd "$store/manifests" || exit 1
echo "== manifests"
for file in */*/*/*; do
    [ ! -f "$file" ] || printf '%s %s\n' "$file" "$(tr -d '\n' <"$file")"
done
echo "== unfinished"
for blob in $(recorded); do
    when=$(left "$blob")
    bytes=$(files_of "$blob" %b | awk '{ blocks += $1 } END { printf "%.0f", 512 * blocks }')
    [ -z "$when" ] || echo "$blob $when $bytes $(cat "$unfinished/$blob")"
done
echo "== end"
