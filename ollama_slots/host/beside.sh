# Where in the model store files are written before they take their place in it, and what a write that was cut off left.

# beside STORE DIRECTORY: where a file is written that takes its place in that directory of the store by a rename, which
# knows no way to another disk.
beside() {
    if [ -d "$2" ] && ! one_mount "$1" "$2"; then
        echo "$2/.ollama-slots"
    else
        echo "$1/.ollama-slots"
    fi
}

# make_beside DIRECTORY...: makes one that beside has named, and one in it. Ollama goes through all of its manifests and
# blobs at its start, and ends where it cannot read a directory (PruneDirectory and fixBlobs in its server).
make_beside() {
    case $1 in
    "$store/.ollama-slots") install -d -m 700 "$@" ;;
    *) install -d -m 755 "$@" ;;
    esac
}

# by_way_of FILE COMMAND...: has a command write a file where beside says, and rename it; makes its directory before. Where
# that fails, no file stays.
by_way_of() {
    way=$1
    shift
    make_beside "${way%/*}" && "$@"
    moved=$?
    [ "$moved" -eq 0 ] || rm -f "$way"
    tidy
    return "$moved"
}

# tidy: nothing of ours stays among the manifests, once a file has its place there.
tidy() {
    [ ! -d "$store/manifests/.ollama-slots" ] || rmdir "$store/manifests/.ollama-slots" 2>/dev/null || :
}

# one_mount DIRECTORY OTHER: whether both are of one filesystem, and by one mount of it, of which it may have several.
one_mount() {
    # shellcheck disable=SC2046 # a number a line
    set -- "$(mount_of "$1")" "$(mount_of "$2")" $(stat -L -c %d "$1" "$2" 2>/dev/null)
    [ "$1" = "$2" ] && [ "${3-}" = "${4-}" ]
}

# mount_of DIRECTORY: the number of its mount.
mount_of() {
    while read -r key mount; do
        [ "$key" != mnt_id: ] || echo "$mount"
    done 3<"$1" <"$own_process/fdinfo/3"
} 2>/dev/null

# fetches STORE: where a fetch from a mirror has what is no model's yet.
fetches() {
    echo "$(beside "$1" "$1/blobs")/.fetch"
}

# scraps STORE: files that were to take another's place by a rename, and never did, as after a power cut; a line each. And
# directories that an earlier version made among Ollama's own, and that Ollama cannot read.
# What is no older than a minute, nor than Ollama's start, may be what another deploy is writing now; and so may what a
# fetch writes into its directory for as long as it takes. A record of an unfinished pull had a . before it, where it has
# .new after it now.
scraps() {
    at=$1
    set -- -mmin +1
    [ ! -L "$started" ] || set -- "$@" -o ! -newer "$started"
    left=$(find "$state_dir" "$modelfiles" "$environment_file.new" "$drop_in.new" "$warm_up_unit.new" \
        "$warm_up_script.new" "$at/.ollama-slots" "$at/manifests/.ollama-slots" "$at/blobs/.ollama-slots" \
        -maxdepth 2 \( -type f \( -name '*.new' -o -path "$unfinished/.*" -o -path '*/.ollama-slots/.manifest' \
        -o -path "*/.ollama-slots/.manifest-$stem" -o -path '*/.fetch/.manifest' -o -path '*/.fetch/.said' \) \
        -o -type d \( -path "$at/manifests/.ollama-slots" -o -path "$at/blobs/.ollama-slots" \
        -o -path "$at/blobs/.ollama-slots/.fetch" \) ! -perm -005 \) \( "$@" \) 2>/dev/null)
    case $left in
    *"/.fetch/"*) [ ! -e "$fetch_lock" ] || flock -s -n "$fetch_lock" true ||
        left=$(printf '%s\n' "$left" | grep -v '/\.fetch/') ;;
    esac
    [ -z "$left" ] || printf '%s\n' "$left"
}
