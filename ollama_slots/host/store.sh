# The engine's model store as files, for what its API cannot do without failing requests. Follows ask.sh, and engine.sh
# where something is changed.
#
# Its create and copy write a manifest in place: who asks for that name meanwhile gets an error (seen: 15 ms long).
# And a name that is deleted may fail a request for any model: each request lists all names and then looks at
# each, and gives up where one is gone by then (manifest.Manifests, v0.32.15; measured: 2 in 500 deletions with
# one client, 13 with four). So a name gets another manifest by one rename, and a rotation takes no name away.

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

# fetches STORE: where a fetch from a mirror has what is no model's yet. Hidden, it is no slot's that is set aside.
fetches() {
    echo "$1/.ollama-slots/.fetch"
}

# use_store NAME: sets, for what follows, the store and where this slot's NAME:previous is set aside.
use_store() {
    store=$(model_store) && aside=$store/.ollama-slots/$1 && install -d -m 700 "${aside%/*}"
}

# manifest NAME:TAG: the file of a variant's name, in the case that it has; or where it would be.
manifest() {
    library=$store/manifests/registry.ollama.ai/library
    file=$(find "$library" -mindepth 2 -maxdepth 2 -ipath "*/${1%:*}/${1##*:}" | head -n 1)
    printf '%s\n' "${file:-$library/${1%:*}/${1##*:}}"
}

# place FILE NAME:TAG: the name means that manifest from now on.
place() {
    cp -p "$1" "${aside%/*}/.manifest" && mv "${aside%/*}/.manifest" "$(manifest "$2")"
}

# set_aside NAME: keeps what NAME:previous is made of, so that the name is free for a candidate. Its blobs are
# linked: the engine removes those of a manifest that is overwritten.
set_aside() {
    making=${aside%/*}/.new
    rm -rf "$making" && mkdir "$making" || return
    kept=$(manifest "$1:previous")
    if [ -e "$kept" ]; then
        cp -p "$kept" "$making/manifest" || return
        grep -o 'sha256:[0-9a-f]*' "$kept" | sort -u | while IFS=: read -r _ digest; do
            ln "$store/blobs/sha256-$digest" "$making/" || exit
        done || return
    fi
    mv -T "$making" "$aside"
}

# put_back NAME: NAME:previous is again what was set aside; or what the slot serves, where there was none.
put_back() {
    for blob in "$aside"/sha256-*; do
        [ -e "$store/blobs/${blob##*/}" ] || [ ! -e "$blob" ] || ln "$blob" "$store/blobs/"
    done
    if [ -e "$aside/manifest" ]; then
        # A link, which a full disk has room for as well.
        ln -f "$aside/manifest" "${aside%/*}/.manifest" && mv "${aside%/*}/.manifest" "$(manifest "$1:previous")"
    elif [ -e "$(manifest "$1:latest")" ]; then
        place "$(manifest "$1:latest")" "$1:previous"
    else
        delete "$1:previous" # a new slot, whose first candidate failed
    fi || return # it stays set aside, for the next run to put back
    rm -rf "$aside"
}

# exchange NAME: NAME:previous serves as NAME, and what served is NAME:previous.
exchange() {
    served=$(manifest "$1:latest")
    [ ! -e "$served" ] || cp -p "$served" "$aside/served" || return
    place "$(manifest "$1:previous")" "$1:latest" || return
    [ ! -e "$aside/served" ] || place "$aside/served" "$1:previous"
}
