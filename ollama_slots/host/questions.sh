# Asks a slot questions, one after another, for as long as it is resident with the variant that is meant: whoever asks
# another one loads it, and that may evict a slot. Changes nothing, and takes no lock: a deploy does not wait for it.
# needs: asking
# takes: url keep_alive slot variant gpu seconds polite opens closes turn bytes mark
# variant: the manifest digest that the slot's state has; gpu (yes|no): it has to be wholly in GPU memory; all else, what
# is on stdin, and what it prints: see asking.sh
loaded='' # nothing is loaded
arrived || exit 1
main=$(engine_pid)

resident() {
    if [ "$(value variant "$slot" 2>/dev/null)" != "$variant" ]; then
        echo "its variant was replaced"
    elif why=$(proven "$slot" "$gpu" 2>/dev/null); then
        echo "${why% *}"
    else
        echo "$why"
    fi
}

ask_all
