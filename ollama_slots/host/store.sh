# The engine's model store as files: where it is, and what its API does not tell of it.

# engine_pid: the process of the running Ollama, or 0.
engine_pid() {
    systemctl show --property=MainPID --value ollama.service
}

# model_store [PID]: where the running Ollama, or this process, keeps its models; fails where none runs.
model_store() {
    environ=$(tr '\0' '\n' 2>/dev/null <"/proc/${1:-$(engine_pid)}/environ") || return
    models='' home=''
    while IFS= read -r variable; do
        case $variable in
        OLLAMA_MODELS=*) models=${variable#*=} ;;
        HOME=*) home=${variable#*=} ;;
        esac
    done <<END
$environ
END
    [ -n "$models$home" ] && printf '%s\n' "${models:-$home/.ollama/models}"
}

# fetches STORE: where a fetch from a mirror has what is no model's yet.
fetches() {
    echo "$1/.ollama-slots/.fetch"
}

# use_store: sets, for what follows, where the models are.
use_store() {
    store=$(model_store) && [ -d "$store/blobs" ]
}

# in_manifests GREP_ARGUMENT...: what grep finds in all that says what models are made of. From 0.40 on those are blobs:
# names are links to them in manifests-v2, and one may be no more than a list of others.
in_manifests() {
    find -L "$store/manifests" "$store/manifests-v2" "$store/blobs" -type f -size -200k ! -name '*-partial*' \
        -exec grep "$@" {} + 2>/dev/null
}

# on_disk: what was written to the store is on the disk, so that a power cut does not take it back. By the filesystem:
# which files the engine has written is its own affair.
on_disk() {
    sync -f "$store" "$store/blobs"
}

# damaged DIGEST: whether the blob is there and is not what its name says. It reads all of it.
damaged() {
    [ -e "$store/blobs/sha256-$1" ] && [ "$(sha256sum 2>/dev/null <"$store/blobs/sha256-$1")" != "$1  -" ]
}
