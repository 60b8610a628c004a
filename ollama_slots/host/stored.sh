# Prints what every model in the engine's store is made of: its manifest, after its name as the store has it.
# Changes nothing. Follows store.sh.
echo "== manifests"
cd "$(model_store)/manifests" || exit 1
for file in */*/*/*; do
    [ ! -f "$file" ] || printf '%s %s\n' "$file" "$(tr -d '\n' <"$file")"
done
echo "== end"
