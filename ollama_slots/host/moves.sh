# Moves names in one step: a name means at once what another one means.
# needs: engine store
#
# Two ways lead there. From 0.40 on, Ollama's own copy replaces a name in one step. Before, its create and copy write a
# manifest in place, and who asks for that name meanwhile gets an error (seen on 0.32.15: 15 ms long): there the name's
# file is replaced by one rename, but only where the layout is the known one. An unknown version goes by the copy.
# Nothing here deletes a name that others may ask for: each request lists all names and then looks at each, and gives
# up where one is gone by then (manifest.Manifests, v0.32.15; measured: 2 in 500 deletions with one client, 13 with
# four; on 0.40 the same).

version='' # asked for once

# moved_as_files: whether this Ollama is one whose names are files in manifests/ (0.10 to 0.34).
moved_as_files() {
    version=${version:-$(api 10 /api/version | value_of version)}
    case $version in
    0.[12][0-9].* | 0.3[0-4].*) ;;
    *) return 1 ;;
    esac
}

# manifest NAME:TAG: the file of a variant's name, in the case that it has; or where it would be: beside the other tags of
# the model, which may be spelled otherwise.
manifest() {
    library=$store/manifests/registry.ollama.ai/library
    file=$(find -L "$library" -mindepth 2 -maxdepth 2 -ipath "*/${1%:*}/${1##*:}" -print -quit 2>/dev/null)
    if [ -z "$file" ]; then
        directory=$(find -L "$library" -mindepth 1 -maxdepth 1 -iname "${1%:*}" ! -empty -print -quit 2>/dev/null)
        file=${directory:-$library/${1%:*}}/${1##*:}
    fi
    printf '%s\n' "$file"
}

# copy_manifest: of mean, its $file into the place of another.
copy_manifest() {
    cp -p "$file" "$moving" && sync "$moving" && mv "$moving" "$into"
}

# mean NAME:TAG OTHER:TAG [NAMED]: the one means what the other does, and Ollama lists it so; or it says why not, and fails. An
# Ollama that has ended since lists nothing: what was done counts then.
mean() {
    before=${3-$(named)}
    meant=$(digest_of "$2" "$before")
    [ -n "$meant" ] || { echo "$2 is not there" && return 1; }
    [ "$(digest_of "$1" "$before")" != "$meant" ] || return 0
    file=$(manifest "$2")
    if moved_as_files && [ "$(sha256sum 2>/dev/null <"$file")" = "$meant  -" ]; then
        into=$(manifest "$1") moving=$(beside "$store" "$store/manifests")/.manifest-$stem
        # A copy: of two names for one file, a create that writes in place would change both.
        by_way_of "$moving" copy_manifest || return
    else
        said=$(api 30 /api/copy "{\"source\":\"$2\",\"destination\":\"$1\"}") || { error_in "$said" && return 1; }
    fi
    [ "$(digest_of "$1")" = "$meant" ] || ! api 10 /api/version >/dev/null || { echo "$1 should have digest ${meant}, but Ollama lists another" && return 1; }
}

# put_back NAME: NAME:current means what the slot serves again, and not a candidate; with a slot that serves nothing
# yet, it goes.
put_back() {
    now=$(named) || { echo "Ollama does not answer" && return 1; }
    if [ -n "$(digest_of "$1:latest" "$now")" ]; then
        mean "$1:current" "$1:latest" "$now"
    else
        delete "$1:current"
    fi
}

# exchange NAME: NAME:current serves as NAME, and what served is NAME:previous.
exchange() {
    now=$(named)
    [ -z "$(digest_of "$1:latest" "$now")" ] || mean "$1:previous" "$1:latest" "$now" || return
    mean "$1:latest" "$1:current" "$now"
}
