# Measures each slot: prints NAME TOKENS NANOSECONDS, or NAME and what is wrong.
# needs: engine
# takes: url seconds
# seconds: the bound of one answer
keep_alive='' load_seconds=''
for name in $(slots); do
    request="{\"model\":\"$name:latest\",\"prompt\":\"Count from 1 to 100.\",\"stream\":false,\"options\":{\"num_predict\":64}}"
    if answered=$(api "$seconds" /api/generate "$request"); then
        tokens=$(printf '%s\n' "$answered" | value_of eval_count)
        echo "$name ${tokens:-0} $(printf '%s\n' "$answered" | value_of eval_duration)"
    else
        echo "$name $(error_in "$answered")"
    fi
done
