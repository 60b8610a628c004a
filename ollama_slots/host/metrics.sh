# What the warm-up and the watch saw as metrics, for the textfile collector of Prometheus' node_exporter.
# needs: residency cards

# metric NAME HELP [TYPE]: the head of a metric; its values follow.
metric() {
    printf '# HELP %s %s\n# TYPE %s %s\n' "$1" "$2" "$1" "${3:-gauge}"
}

# sample METRIC VALUE [KEY=VALUE]...: its value in one series, and the labels that tell that from all others of this host;
# with one Ollama it needs to be told of no unit.
sample() {
    metric=$1 value=$2 labels=''
    shift 2
    [ "$unit" = ollama.service ] || set -- "$@" "unit=$unit"
    for it in "$@"; do labels="$labels${labels:+,}${it%%=*}=\"${it#*=}\""; done
    printf '%s\n' "$metric${labels:+{$labels\}} $value"
}

# each RESIDENT NAME COLUMN: a metric's value of each resident slot; none, where it is -.
each() {
    while read -r name seconds bytes tokens; do
        case $3 in seconds) figure=$seconds ;; bytes) figure=$bytes ;; *) figure=$tokens ;; esac
        # Of a slot that is on the CPU by its declaration no GPU memory is missed.
        [ "$3,$figure" != bytes,0 ] || { recall gpu "$state_dir/$name.slot" && [ "$keyed" != no ]; } || continue
        [ "${figure:--}" = - ] || sample "$2" "$figure" "slot=$name"
    done <<END
$1
END
}

# totals: what the watch has counted, which outlasts a reboot.
totals() {
    metric ollama_slot_heals_total "Times that the watch has loaded the slot again, or had it stay." counter
    for name in $(slots); do
        for cause in away ended window cpu expires; do
            recall "$cause" "$heals/$name"
            sample ollama_slot_heals_total "${keyed:-0}" "slot=$name" "cause=$cause"
        done
    done
    metric ollama_slot_heal_tries "Times in a row that the watch had to load it; 0 once the slot has stayed well."
    for name in $(slots); do
        recall tries "$looks/$name"
        sample ollama_slot_heal_tries "${keyed:-0}" "slot=$name"
    done
    metric ollama_slot_away_seconds_total "Seconds that the slot was not in memory as declared, as the watch saw it." counter
    for name in $(slots); do
        recall away_seconds "$heals/$name"
        sample ollama_slot_away_seconds_total "${keyed:-0}" "slot=$name"
    done
}

# info: what each slot is.
info() {
    metric ollama_slot_info "The slot's base, and its variant's digest in 12 digits, as ollama list has it."
    for name in $(slots); do
        recall model "$state_dir/$name.slot"
        base=$keyed
        recall variant "$state_dir/$name.slot"
        abridge "$keyed"
        sample ollama_slot_info 1 "slot=$name" "base=$base" "digest=$abridged"
    done
}

# gpu_memory: what Ollama found at its start, and what is left of it: no GPU is asked, for a unit of ours may open no
# device. Only root gets to all of that: the watch.
gpu_memory() {
    found_now=$(found)
    gpus_now=$(cards_found "$found_now")
    metric ollama_slots_gpu_memory_bytes "Memory of a GPU that Ollama found when it started."
    printf '%s\n' "$gpus_now" | while read -r total _ id card; do
        [ -z "$id" ] || sample ollama_slots_gpu_memory_bytes "$total" "gpu=$id" "name=$card"
    done
    metric ollama_slots_gpu_memory_free_bytes "What Ollama found free in all GPUs, less what its models hold."
    # None, for sure, is told apart from what is not known, as while Ollama is stopped: a GPU is lost or not.
    if [ -z "$gpus_now" ]; then
        case $found_now in *library=cpu*) sample ollama_slots_gpu_memory_free_bytes 0 ;; esac
    fi
    [ -n "$gpus_now" ] && [ -n "${held_now+known}" ] || return 0
    left=$(printf '%s\n' "$gpus_now" "$held_now" | awk -F '[ \t]' '
        /\t/ { left -= $3; next }
        { left += $2 }
        END { printf "%.0f", (left > 0 ? left : 0) }')
    sample ollama_slots_gpu_memory_free_bytes "$left"
}

# metrics RESIDENT [SUCCESS]: the text. RESIDENT is a line of NAME SECONDS BYTES TOKENS for each slot that is; of another
# one nothing is known but that it is not. SUCCESS: 1 or 0, what the warm-up says of itself; else systemd is asked.
metrics() {
    metric ollama_slot_resident "Whether the slot was resident as declared at the last look."
    for name in $(slots); do
        case "
$1" in *"
$name "*) is=1 ;; *) is=0 ;; esac
        sample ollama_slot_resident "$is" "slot=$name"
    done
    metric ollama_slot_load_seconds "Seconds until the slot answered one token, its load and those before it included."
    each "$1" ollama_slot_load_seconds seconds
    metric ollama_slot_gpu_bytes "GPU memory that the slot's runner holds; slots of the same weights share one."
    each "$1" ollama_slot_gpu_bytes bytes
    metric ollama_slot_context_tokens "The context window of the slot's runner."
    each "$1" ollama_slot_context_tokens tokens
    info
    totals
    gpu_memory
    metric ollama_slots_warm_up_success "Whether the last warm-up proved every slot resident, and Ollama runs since."
    sample ollama_slots_warm_up_success "${2:-$(systemctl is-active --quiet "$warm_up" && echo 1 || echo 0)}"
    metric ollama_slots_last_look_timestamp_seconds "When the slots were last looked at."
    sample ollama_slots_last_look_timestamp_seconds "$(date '+%s')"
}

# took NAME: the seconds of a slot's last load: as published, or of the watch's, where it was away since; or -.
took() {
    seconds=$(awk -F '"' -v name="$1" '$1 == "ollama_slot_load_seconds{slot=" && $2 == name { sub(/.* /, "", $NF); print $NF }' \
        "$STATE_DIRECTORY/$stem-slots.prom" 2>/dev/null)
    seconds=${seconds:-$(noted seconds "$heals/$1")}
    echo "${seconds:--}"
}

# still_holds: what was published still holds, but for the time; fails where there is nothing, or what a warm-up has
# written since, which is another user.
still_holds() {
    place_metrics
    # shellcheck disable=SC3067 # dash and busybox have it
    [ -s "$metrics_file" ] && [ -O "$metrics_file" ] &&
        sed "s/^\(ollama_slots_last_look_timestamp_seconds[^ ]*\) .*/\1 $(date '+%s')/" "$metrics_file" >"$new_metrics" &&
        chmod 644 "$new_metrics" && mv "$new_metrics" "$metrics_file"
}

# place_metrics: sets $metrics_file, and $new_metrics, which is to take its place: a warm-up and a look may write
# at once, and each has one of its own.
place_metrics() {
    metrics_file=$STATE_DIRECTORY/$stem-slots.prom
    new_metrics=$metrics_file.${0##*/}.new
    rm -f "$new_metrics" # of another user, whose write was cut off
}

# publish RESIDENT [SUCCESS]: the text to its file, whole or not at all, for everybody to read. It goes where systemd has
# made room for it; a slot is no less resident where it cannot be written.
publish() {
    [ -n "${STATE_DIRECTORY-}" ] || return 0
    place_metrics
    { metrics "$@" >"$new_metrics" && chmod 644 "$new_metrics" && mv "$new_metrics" "$metrics_file"; } ||
        echo "<4>the metrics could not be written to $metrics_file"
}
