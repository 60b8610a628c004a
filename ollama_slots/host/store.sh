# Ollama's model store as files: where it is, and what the API does not show.
# needs: ask json sees beside

# use_store: sets, for what follows, Ollama's process, and where its models are.
use_store() {
    server=$(engine_pid)
    store=$(model_store "$server") && [ -d "$store/blobs" ]
}

# manifest_texts: all that says what models are made of, a line of \001 before each. From 0.40 on those are blobs: names
# are links to them in manifests-v2, and one may be no more than a list of others.
manifest_texts() {
    find -L "$store/manifests" "$store/manifests-v2" "$store/blobs" -type f -size -200k \
        ! -name '*-partial*' ! -path '*/.ollama-slots/*' -exec awk '
        FNR == 1 { print "\001"; json = "" }
        json == "" && NF { json = /^[ \t\r]*[{]([^{]|$)/ } # and no template
        json' {} + 2>/dev/null
}

# manifests: their leaves, an empty line between two.
manifests() {
    manifest_texts | read_json
}

# made_of: what models are made of: each blob that a manifest names, and its bytes (DIGEST BYTES expected); and what weights
# go with (FIRST OTHER), for each further part of split ones, and for a projector. Only what all manifests with that first
# blob have: of several, the API does not tell which.
made_of() {
    manifest_texts | LC_ALL=C awk "$json_reader"'
        function document(at, place, key, layers, digest, bytes, kind, first, own) {
            for (at = 1; at <= count; at++) {
                if (paths[at] !~ /^(config|(layers|manifests)\/[0-9]+)\/(digest|size|mediaType)$/) continue
                place = key = paths[at]
                sub(/\/[^\/]*$/, "", place)
                sub(/.*\//, "", key)
                if (key == "digest") digest[place] = substr(values[at], 8) # after sha256:
                else if (key == "size") bytes[place] = values[at]
                else { kind[place] = values[at]; continue }
                if (place in digest && place in bytes) print digest[place], bytes[place], "expected"
                if (place ~ /^layers/) layers = substr(place, 8) + 1
            }
            for (at = layers - 1; at >= 0; at--)
                if (kind["layers/" at] ~ /\.image\.model$/) first = digest["layers/" at]
            own[first] = 1
            for (at = 0; at < layers; at++) {
                place = "layers/" at
                if (kind[place] ~ /\.image\.(model|projector)$/ && !(digest[place] in own)) with[first " " digest[place]]++
                own[digest[place]] = 1
            }
            manifests[first]++
        }
        END { for (pair in with) if (with[pair] == manifests[substr(pair, 1, 64)]) print pair }'
}

# stored_weights DIGEST: the blobs that a manifest runs on, a line each, by the manifest's own digest, or nothing. For
# what the API does not show.
stored_weights() {
    find -L "$store/manifests" "$store/manifests-v2" -type f -exec sha256sum {} + 2>/dev/null |
        sed -n "s/^$1  //p" | head -n 1 | while IFS= read -r file; do
        rows layers mediaType digest <"$file" | sed -nE 's/^.*image\.(model|projector)	sha256://p'
    done
}

# on_disk: what was written to the store is on the disk, so that a power cut does not take it back. By the filesystem:
# which files the engine has written is its own affair.
on_disk() {
    sync -f "$store" "$store/blobs" "$store"/manifests*
}

# damaged DIGEST: whether the blob is there and is not what its name says. It reads all of it.
damaged() {
    [ -e "$store/blobs/sha256-$1" ] && [ "$(sha256sum 2>/dev/null <"$store/blobs/sha256-$1")" != "$1  -" ]
}

# damaged_of WEIGHTS DIGEST...: which of these weights, and of what these manifests run on, are damaged, a line each.
damaged_of() {
    for blob in $({ echo "$1" && shift && for manifest in "$@"; do stored_weights "$manifest"; done; } | sort -u); do
        ! damaged "$blob" || echo "$blob"
    done
}

# sweep: small blobs that are not what their names say go, for whoever needs them to write them anew. A power cut may
# leave them empty, and the engine takes a blob that is there for whole.
sweep() {
    find "$store/blobs/" -maxdepth 1 -type f -size -200k -name 'sha256-*' -exec sha256sum {} + 2>/dev/null |
        while read -r digest blob; do
            name=${blob##*/sha256-}
            case $name in *[!0-9a-f]*) continue ;; esac
            [ "${#name}" -ne 64 ] || [ "$name" = "$digest" ] || rm -f "$blob"
        done
}

# free_at PATH: the KiB that are free on its disk; nothing, where that is unknown. They stand before the share that is used, or
# - where there is none; before them comes what is mounted, which may have blanks in its name.
free_at() {
    df -Pk "$1" 2>/dev/null | awk 'NR == 2 {
        for (at = 5; at <= NF; at++)
            if ($at ~ /^([0-9]+%|-)$/ && $(at - 3) $(at - 2) ~ /^[0-9]+$/ && $(at - 1) ~ /^-?[0-9]+$/) {
                print $(at - 1)
                exit
            }
    }'
}
