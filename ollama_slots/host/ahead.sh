# Reads slots' weights ahead: while one of them loads, a disk has long pauses.
# needs: engine gpus store
# Set before: what engine.sh needs, $api_seconds (bound of what Ollama takes to start)

# by_size: the slots that Ollama lists, the largest first: it loads a model beside others only into a part of what they
# leave. Last are those that need not be wholly in GPU memory, for which it does not look at that: the first one is to
# show whether it sees the GPU.
by_size() {
    listed=$(api 10 /api/tags | rows models name size)
    for name in $(slots); do
        printf '%s\n' "$listed" | awk -F '\t' -v slot="$name" -v place="$(place "$name" yes)" '
            tolower($1) == tolower(slot) ":latest" && !found++ { print place, $2, slot }'
    done | sort -s -k 1,1r -k 2,2rn | cut -d ' ' -f 3
}

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

# read_ahead: reads what slots run on that are not in memory, in the order in which they are loaded, so that a load finds
# it in memory; the first one, too, for the engine takes its weights in small pieces. Only into memory that holds nothing:
# no file has to go for it that others read. Twice as much has to be free, for the engine may copy it there.
read_ahead() {
    end=$(($(clock) + api_seconds))
    until hear 1 /api/ps; do
        [ "$(clock)" -lt "$end" ] || return 0
        sleep 0.05
    done
    cold=''
    for name in $(slots); do
        # What a rotation has loaded keeps the manifest by which it was loaded.
        case $heard in *"$(value variant "$name")"* | *"$(value loaded "$name")"*) ;; *) cold="$cold $name" ;; esac
    done
    [ -n "$cold" ] && use_store || return 0
    # To a GPU that shares the host's memory the engine reads past the kernel's cache (llm/llama_server.go, v0.34.4), and
    # goes by what holds nothing when it places a model. It answers before it has looked for GPUs.
    until gpus=$(found) && [ -n "$gpus" ]; do
        [ "$(clock)" -lt "$end" ] || { echo "reads no weights ahead: which GPU Ollama found is not known" && return; }
        sleep 0.2
    done
    case $gpus in *type=iGPU*) echo "reads no weights ahead: the GPU shares the host's memory" && return ;; esac
    for name in $(by_size); do
        case " $cold " in *" $name "*) ;; *) continue ;; esac
        for blob in $(runs_on "$name"); do
            bytes=$(stat -L -c %s "$store/blobs/sha256-$blob") || continue # whoever loads it tells of it
            free=$(unused)
            [ -n "$free" ] || { echo "reads no weights ahead: how much memory is unused is not known" && return; }
            [ "$free" -ge $((2 * bytes)) ] || {
                echo "$name: its weights are not read ahead: expected twice their $(gigabytes "$bytes") GB of unused" \
                    "memory, found $(gigabytes "$free") GB"
                return
            }
            since=$(clock)
            cat "$store/blobs/sha256-$blob" >/dev/null || return
            echo "$name: $(gigabytes "$bytes") GB of its weights read ahead in $(($(clock) - since)) s"
        done
    done
}
