# The result of the warm-up as metrics, for the textfile collector of Prometheus' node_exporter.
# needs: engine

# metric NAME HELP: the head of a metric; its values follow.
metric() {
    printf '# HELP %s %s\n# TYPE %s gauge\n' "$1" "$2" "$1"
}

# labels SLOT: what tells a slot from all others of this host; a host with one Ollama needs to be told of no unit.
labels() {
    if [ "$unit" = ollama.service ]; then echo "{slot=\"$1\"}"; else echo "{slot=\"$1\",unit=\"$unit\"}"; fi
}

# each RESIDENT NAME COLUMN: a metric's value of each resident slot.
each() {
    printf '%s' "$1" | while read -r name seconds bytes tokens; do
        case $3 in seconds) value=$seconds ;; bytes) value=$bytes ;; *) value=$tokens ;; esac
        echo "$2$(labels "$name") $value"
    done
}

# metrics RESIDENT: the text. RESIDENT is a line of NAME SECONDS BYTES TOKENS for each slot that is; of another one
# nothing is known but that it is not.
metrics() {
    metric ollama_slot_resident "Whether the last warm-up proved the slot resident as declared."
    for name in $(slots); do
        case "
$1" in *"
$name "*) is=1 ;; *) is=0 ;; esac
        echo "ollama_slot_resident$(labels "$name") $is"
    done
    metric ollama_slot_load_seconds "Seconds until the slot answered one token, its load and those before it included."
    each "$1" ollama_slot_load_seconds seconds
    metric ollama_slot_gpu_bytes "GPU memory that the slot's runner holds; slots of the same weights share one."
    each "$1" ollama_slot_gpu_bytes bytes
    metric ollama_slot_context_tokens "The context window of the slot's runner."
    each "$1" ollama_slot_context_tokens tokens
}

# publish RESIDENT: the text to its file, whole or not at all, for everybody to read. It goes where systemd has made
# room for it; a slot is no less resident where it cannot be written.
publish() {
    [ -n "${STATE_DIRECTORY-}" ] || return 0
    file=$STATE_DIRECTORY/$stem-slots.prom
    { metrics "$1" >"$file.new" && chmod 644 "$file.new" && mv "$file.new" "$file"; } ||
        echo "<4>the metrics could not be written to $file"
}
