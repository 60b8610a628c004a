# The record of the blobs of deploys' pulls that were not finished: a file for each, by its digest,
# with the model and the time at which its pull left the blob. While the pull goes on there is no time. Whoever goes
# on with it later changes that time, and the blob is theirs. use_blobs comes first.
# needs: store replace

# use_blobs: sets, for what follows, where the engine keeps its blobs, and where a fetch from a mirror keeps those
# that are no model's yet: the engine deletes at its start what it cannot tell the use of.
use_blobs() {
    store=$(model_store) && blobs=$store/blobs && fetched=$(fetches "$store")
}

# files_of DIGEST FORMAT: what is there of a blob, as find prints it: what a fetch has of it; else the engine, whole,
# or a partial file and its parts.
files_of() {
    if [ -e "$fetched/sha256-$1-partial" ]; then
        find "$fetched/sha256-$1-partial" -printf "$2\n"
    else
        find -H "$blobs" -maxdepth 1 \( -name "sha256-$1" -o -name "sha256-$1-partial*" \) -printf "$2\n"
    fi 2>/dev/null
}

# left DIGEST: when something was written last to what is there of a blob.
left() {
    files_of "$1" '%T@ %f' | sed -n "s/ sha256-$1\(-partial\)\{0,1\}$//p"
}

# in_pull DIGEST: whether the engine is pulling it now, whoever wants it, or a fetch is fetching it. Links on the
# way to the store are not in what the kernel says.
in_pull() {
    if [ -e "$fetched/sha256-$1-partial" ]; then
        find "$proc"/[0-9]*/fd -lname "*/.ollama-slots/.fetch/sha256-$1-partial"
    else
        find "$proc/$(engine_pid)/fd" -lname "*/sha256-$1-partial"
    fi 2>/dev/null | grep -q .
}

# recorded [MODEL]: the digests that are recorded, all or for a model.
recorded() {
    for file in "$unfinished"/*[0-9a-f]; do # and no .new
        [ -e "$file" ] && read -r whose _ <"$file" && [ "${1:-$whose}" = "$whose" ] && echo "${file##*/}"
    done
}

# untouched DIGEST: whether it is recorded, and nobody has gone on with it since.
untouched() {
    now=$(left "$1")
    [ -e "$unfinished/$1" ] && read -r _ when <"$unfinished/$1" && [ "${when:-$now}" = "$now" ]
}

# record DIGEST MODEL [TIME]: whole or not at all.
record() {
    install -d -m 755 "$unfinished" && echo "$2 ${3-}" >"$unfinished/$1.new" && replace "$unfinished/$1"
}

# let_go DIGEST: waits, bounded, until the engine has ended its pull of it; fails if somebody else's goes on.
let_go() {
    tries=0
    while in_pull "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 40 ] || return # between two attempts to reach a registry it sleeps up to 32 s
        sleep 1
    done
}

# finished DIGEST: nothing of it is left to go on from.
finished() {
    rm -f "$unfinished/$1" "$fetched/sha256-$1-partial"
    rmdir "$fetched" 2>/dev/null || :
}

# discard DIGEST: what is there of it goes, unless it is a model's by now.
discard() {
    if [ ! -e "$fetched/sha256-$1-partial" ]; then
        manifests | grep -qx "\([^	]*/\)*digest	sha256:$1" || rm -f "$blobs/sha256-$1"
        remove_partial "$1"
    fi
    finished "$1"
}

# spoiled DIGEST: whether it is there whole, by its size, and is not what its name says. Its pull was never heard to end,
# as after a power cut; or it was ended before the engine compared them, which it does at the end, and for this $model it
# would take it for compared (server/download.go, v0.32.15).
spoiled() {
    read -r whose when <"$unfinished/$1" && { [ -z "$when" ] || [ "$whose" = "$model" ]; } && damaged "$1"
}

# usable DIGEST: whether its partial file can be gone on from. A fetch's can. The engine describes each part of its
# own in a small file, and deletes those older than an hour when it starts; what is left then, or is empty after a
# full disk or a power cut, fails each pull from then on (seen on v0.32.15 and v0.34.4).
usable() {
    [ ! -e "$fetched/sha256-$1-partial" ] || return 0
    size=$(files_of "$1" '%f %s' | sed -n 's/.*-partial //p')
    parts=$(awk 'FNR == 1 { print "\001" } { print }' "$blobs/sha256-$1-partial-"* 2>/dev/null | read_json |
        awk -F '\t' '$1 == "Size" { sum += $2 } END { printf "%.0f", sum }')
    [ "${size:-0}" -gt 0 ] && [ "$size" = "$parts" ]
}

# useless: the digests of pulls, whoever began them, that ended before Ollama was started and cannot be gone on from. A
# power cut comes before a pull is recorded, too.
useless() {
    find -H "$blobs" -maxdepth 1 -name 'sha256-*-partial*' ! -newer "$started" -printf '%f\n' 2>/dev/null |
        sed 's/^sha256-//; s/-partial.*//' | sort -u | while read -r it; do
        usable "$it" || echo "$it"
    done
}

# remove_partial DIGEST: what the engine has of it, and has not made a blob.
remove_partial() {
    rm -f "$blobs/sha256-$1-partial" "$blobs/sha256-$1-partial-"*
}
