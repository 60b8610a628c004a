# Asks a slot questions, one after another, for as long as it is resident with the variant that is meant: whoever asks
# another one loads it, and that may evict a slot. Prints a line an answer, and in the end == and why it ended before all
# were asked, or == end. Changes nothing, and takes no lock: a deploy does not wait for it.
# needs: engine
# takes: url keep_alive slot variant gpu seconds bytes mark
# variant: the manifest digest that the slot's state has; gpu (yes|no): it has to be wholly in GPU memory; seconds: the
# bound of one answer; bytes: of stdin; mark: before each line. It is put there here, past no other process: an answer is
# on its way when it is made, and where the connection has broken, this ends with the line that finds it so.
# stdin: the questions, a line each: chat, generate or show, and the request's body in ASCII. A command line is bounded.
# A line has the answer, and below it the seconds to its first byte and to its last, the HTTP status and curl's exit code,
# all in base64; and the word resident, or why the slot is not any more.
load_seconds='' # nothing is loaded
questions=$(timeout 60 cat && echo .)
questions=${questions%.}
[ "${#questions}" = "$bytes" ] || {
    echo "the questions did not arrive as they were sent, on the script's stdin (which _su_password takes)" >&2
    exit 1
}

resident() { # prints that it is, or why it is not
    if [ "$(value variant "$slot" 2>/dev/null)" != "$variant" ]; then
        echo "its variant was replaced"
    elif why=$(proven "$slot" "$gpu" 2>/dev/null); then
        echo resident
    else
        echo "$why"
    fi
}

is=$(resident)
printf '%s' "$questions" | {
    while [ "$is" = resident ] && read -r way body; do
        printf '%s' "$mark" || exit
        {
            printf '%s' "$body" | ask --max-time "$seconds" -H Expect: --data-binary @- \
                -w '\n%{time_starttransfer} %{time_total} %{http_code} ' "$url/api/$way" 2>&1
            echo "$?"
        } | base64 | tr -d '\n'
        is=$(resident)
        echo " $is" || exit
    done
    [ "$is" != resident ] || is=end
    echo "$mark== $is"
}
