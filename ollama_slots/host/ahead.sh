# Reads slots' weights ahead: while one of them loads, a disk has long pauses.
# needs: residency gpus store
# Set before: what residency.sh needs, $api_seconds (bound of what Ollama takes to start)

gigabytes() { # gigabytes BYTES
    printf '%d.%02d\n' $((($1 + 5000000) / 1000000000)) $((($1 + 5000000) / 10000000 % 100))
}

# unused: bytes of memory that hold nothing at all, or nothing where that is not known. Not what the kernel calls
# available: that has files in it which others read.
unused() {
    awk '$1 == "MemFree:" { printf "%.0f\n", $2 * 1024 }' "$proc/meminfo" 2>/dev/null
}

# runs_on NAME: the blobs that a slot runs on, a line each, its weights first.
runs_on() {
    {
        value weights "$1"
        stored_weights "$(value variant "$1")"
    } | awk '!seen[$0]++'
}

# in_memory NAME: whether a runner holds its weights, by $held_now.
in_memory() {
    its=$(value weights "$1")
    gather "$its"
    [ -n "$(runner "$its" "$digests" "$held_now")" ]
}

# read_ahead: reads what slots run on that are not in memory, in the order in which they are loaded, so that a load finds
# it in memory; the first one, too, for the engine takes its weights in small pieces. Only into memory that holds nothing:
# no file has to go for it that others read. Twice as much has to be free, for the engine may copy it there.
read_ahead() {
    end=$(($(clock) + api_seconds))
    until hear 1 /api/ps; do
        [ "$(clock)" -lt "$end" ] || return 0
        sleep 0.05
    done
    held_now=$(printf '%s\n' "$heard" | held_in) cold=''
    for name in $(slots); do
        in_memory "$name" || cold="$cold $name"
    done
    [ -n "$cold" ] || return 0
    use_store || { echo "reads no weights ahead: the directory of Ollama's models is not to be read" && return; }
    # To a GPU that shares the host's memory the engine reads past the kernel's cache (llm/llama_server.go, v0.34.4), and
    # goes by what holds nothing when it places a model. It answers before it has looked for GPUs.
    until gpus=$(found) && [ -n "$gpus" ]; do
        [ "$(clock)" -lt "$end" ] || { echo "reads no weights ahead: which GPU Ollama found is not known" && return; }
        sleep 0.2
    done
    case $gpus in *type=iGPU*) echo "reads no weights ahead: the GPU shares the host's memory" && return ;; esac
    # An Ollama of before it told the type.
    ! printf '%s\n' "$gpus" | grep -a 'library=' | grep -av 'library=cpu' | grep -qav ' type=' ||
        { echo "reads no weights ahead: whether the GPU shares the host's memory is not known" && return; }
    seen=''
    for name in $(by_size); do
        case " $cold " in *" $name "*) ;; *) continue ;; esac
        for blob in $(runs_on "$name"); do
            case $seen in *"$blob"*) continue ;; *) seen="$seen $blob" ;; esac # several slots may run on it
            bytes=$(stat -L -c %s "$store/blobs/sha256-$blob") || continue # whoever loads it tells of it
            free=$(unused)
            [ -n "$free" ] || { echo "reads no weights ahead: how much memory is unused is not known" && return; }
            [ "$free" -ge $((2 * bytes)) ] || {
                echo "$name: its weights are not read ahead: expected twice their $(gigabytes "$bytes") GB of unused" \
                    "memory, found $(gigabytes "$free") GB"
                return
            }
            since=$(clock)
            cat "$store/blobs/sha256-$blob" >/dev/null || continue
            echo "$name: $(gigabytes "$bytes") GB of its weights read ahead in $(($(clock) - since)) s"
        done
    done
}
