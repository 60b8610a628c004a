# Measures each slot: prints NAME TOKENS NANOSECONDS, NAME embeds where it makes embeddings, or NAME and what is wrong.
# needs: residency
# takes: url seconds
# seconds: the bound of one answer
for name in $(slots); do
    request="{\"model\":\"$name:latest\",\"prompt\":\"Count from 1 to 100.\",\"stream\":false,\"options\":{\"num_predict\":64}}"
    if [ "$(value asks "$name")" = embed ]; then
        answered=$(api "$seconds" /api/embed "{\"model\":\"$name:latest\",\"input\":\"Count from 1 to 100.\"}") &&
            printf '%s\n' "$answered" | value_of embeddings/0/0 >/dev/null && echo "$name embeds" ||
            echo "$name $(error_in "$answered")"
    elif answered=$(api "$seconds" /api/generate "$request"); then
        tokens=$(printf '%s\n' "$answered" | value_of eval_count)
        echo "$name ${tokens:-0} $(printf '%s\n' "$answered" | value_of eval_duration)"
    else
        echo "$name $(error_in "$answered")"
    fi
done
echo "== end"
