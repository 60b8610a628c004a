# The models as the process that serves sees them: where it keeps them, and the path by which a script gets there.
# needs: ask

# environ_of PID: its environment, a variable on each line; a newline in one is a space.
environ_of() {
    tr '\0\n' '\n ' 2>/dev/null <"$proc/$1/environ"
}

# models_of PID [ENVIRON]: the directory, as that process has it; fails where its environment tells of none. As Ollama
# reads it: without space and quotes around it, a path that does not begin with / from where the process is, and . and
# .. taken away before any link is looked at (envconfig/config.go, v0.34.4; Go's filepath.Join).
models_of() {
    printf '%s\n' "${2-$(environ_of "$1")}" | cwd=$proc/$1/cwd awk '
        {
            name = $0
            sub(/=.*/, "", name)
            if (!(name in value)) value[name] = substr($0, length(name) + 2)
        }
        END {
            path = value["OLLAMA_MODELS"]
            gsub(/^[ \t\r\v\f]+|[ \t\r\v\f]+$/, "", path)
            gsub(/^["\047]+|["\047]+$/, "", path)
            if (path == "" && value["HOME"] != "") path = value["HOME"] "/.ollama/models"
            if (path ~ /^[^\/]/ && ("readlink \"$cwd\"" | getline at) > 0) path = at "/" path
            if (path !~ /^\//) exit 1
            count = split(path, part, "/")
            for (at = 1; at <= count; at++) {
                if (part[at] == "..") depth -= depth > 0
                else if (part[at] != "" && part[at] != ".") kept[++depth] = part[at]
            }
            path = ""
            for (at = 1; at <= depth; at++) path = path "/" kept[at]
            print path == "" ? "/" : path
        }'
}

# model_store [PID]: the path by which a script gets to the models of that process, or of the running Ollama; fails
# where none runs.
model_store() {
    server=${1:-$(engine_pid)}
    models=$(models_of "$server") && reach "$server" "$models"
}

# reach PID DIRECTORY: the path by which a script gets to it: the process' own, unless its unit has something else there
# (BindPaths= and its like).
reach() {
    top=$proc/$1/root
    if [ -e "$top/" ] && ! [ "$proc/$1/ns/mnt" -ef "$own_process/ns/mnt" ]; then
        for part in '' /blobs /manifests /manifests-v2; do
            same "$(below "$top" "$2$part")" "$2$part" || { below "$top" "$2" && return; }
        done
    fi
    printf '%s\n' "$2"
}

# same PATH OTHER: whether both are one file, or neither is there.
same() {
    [ "$1" -ef "$2" ] || { [ ! -e "$1" ] && [ ! -e "$2" ]; }
}

# below ROOT PATH: that path as who has that root sees it. An absolute link would lead the kernel to this script's root.
below() {
    reached=$1 rest=$2/ links=0
    while [ -n "$rest" ]; do
        part=${rest%%/*} rest=${rest#*/}
        case $part in
        '' | .) continue ;;
        ..) [ "$reached" = "$1" ] || reached=${reached%/*} && continue ;;
        esac
        if [ -L "$reached/$part" ] && [ "$links" -lt 40 ]; then
            links=$((links + 1)) to=$(readlink "$reached/$part")
            case $to in /*) reached=$1 ;; esac
            rest=$to/$rest
        else
            reached=$reached/$part
        fi
    done
    printf '%s\n' "$reached"
}

# contained PID MAIN LISTENS: says (container PROGRAM) which program runs Ollama in a container, or Ollama's own if it has another root than
# this host's; nothing, where there is none. PID: Ollama's, or MAIN, the unit's own, where none of the unit listens.
contained() {
    if [ -e "$proc/$1/root/" ] && ! [ "$proc/$1/root/" -ef "$own_process/root/" ]; then
        echo "container $(readlink "$proc/$1/exe")"
        return
    fi
    level=$2
    while [ -z "$3" ] && [ "$level" ] && [ "$level" != 0 ]; do
        for pid in $level; do
            program=$(readlink "$proc/$pid/exe")
            case ${program##*/} in
            docker | docker-compose | podman | podman-compose | conmon | nerdctl | ctr | crun | runc | lxc-start | \
                systemd-nspawn | apptainer | singularity) echo "container $program" && return ;;
            esac
        done
        level=$(children "$level")
    done
}

# seen MODELS STORE LISTED: what a deploy has to know of a process' models, a KEY VALUE a line: where they are as it has it
# (models) and as root has it (path), what root may do there (may), and the names (name PATH). Where Ollama lists none
# (LISTED is what it answers) and there is a whole one, that (whole).
seen() {
    store=$2 may='write'
    for directory in "$store" "$store/manifests" "$store/blobs"; do
        if [ ! -d "$directory" ] || [ ! -r "$directory" ] || [ ! -x "$directory" ]; then
            may='nothing'
        elif [ ! -w "$directory" ] && [ "$may" = "write" ]; then
            may='read'
        fi
    done
    printf '%s\n' "models $1" "path $store" "may $may"
    find -L "$store/manifests" "$store/manifests-v2" -mindepth 4 -maxdepth 4 ! -type d -printf 'name %P\n' 2>/dev/null
    case $3 in *'"digest"'*) return 0 ;; esac
    find -L "$store/manifests" -mindepth 4 -maxdepth 4 -type f -size -200k -exec grep -ohE '"config":\{[^}]*\}' {} + \
        2>/dev/null | grep -oE '[0-9a-f]{64}' | while read -r digest; do
        [ ! -e "$store/blobs/sha256-$digest" ] || { echo "whole $digest" && break; }
    done
}
