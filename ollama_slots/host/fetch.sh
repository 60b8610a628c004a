# Fetches one model from a mirror into the engine's store, with a line of progress every few seconds. By itself the
# engine would pull it under the mirror's name, and of two names one would have to be deleted: see store.sh.
# Nothing is a model's before its digest is right, and the manifest comes last. What it brought stays, for the next
# one to go on from, unless the disk is full.
# needs: pulling
# takes: url model for_slots path mirror repository tag stall_seconds total_seconds lock_seconds record_base damaged
# path: HOST/NAMESPACE/MODEL/TAG; mirror, repository, tag: its URL, and its own names for the model; record_base (yes|no):
# it is recorded as brought by this tool; damaged: weights that are not whole, or none
trap '' PIPE HUP # whoever started it may go: it ends by itself, and records what it leaves
keep_alive='' load_seconds='' # nothing is loaded here
source=$mirror/v2/$repository
accept='Accept: application/vnd.docker.distribution.manifest.v2+json'
repair='fill the mirror again'
deadline=$(($(clock) + total_seconds))

# blobs_in FILE: DIGEST:BYTES of each blob that a manifest names; fails where it is no manifest.
blobs_in() {
    read_json <"$1" | awk -F '\t' '
        $1 ~ /^(config|layers\/[0-9]+)\/(digest|size)$/ {
            part = $1
            sub(/\/[a-z]+$/, "", part)
            if (!(part in seen)) parts[++count] = part
            seen[part] = 1
            if ($1 ~ /digest$/) digest[part] = $2; else size[part] = $2
        }
        END {
            for (at = 1; at <= count; at++) {
                part = parts[at]
                blob = substr(digest[part], 8)
                if (digest[part] !~ /^sha256:[0-9a-f]+$/ || length(blob) != 64 || size[part] !~ /^[0-9]+$/) exit 1
                if (!(blob in named)) all = all blob ":" size[part] "\n"
                named[blob] = 1
            }
            printf "%s", all
            exit !count
        }'
}

size_of() {
    { stat -c %s "$1" || echo 0; } 2>/dev/null
}

# watch FILE BYTES PROCESS: shows how a file grows; ends the process if nothing comes for too long, or nobody listens.
watch() {
    while sleep "$look_seconds" >/dev/null 2>&1 8>&-; do
        progress "$(size_of "$1")" "$2" || { kill "$3"; return; }
    done
}

# bring FILE DIGEST BYTES: all that is missing of a file, in as many requests as it takes.
bring() {
    while came=$(size_of "$1") && [ "$came" -lt "$3" ]; do
        seconds=$((deadline - $(clock))) before=$came still=0
        [ "$seconds" -gt 0 ] || complain "failed: not finished within $total_seconds s" || return
        curl -sSfL -C - --max-time "$seconds" -o "$1" "$source/blobs/sha256:$2" 2>"$fetched/.said" &
        request=$!
        watch "$1" "$3" "$request" &
        wait "$request" 2>/dev/null
        code=$?
        kill "$!" 2>/dev/null
        wait "$!" 2>/dev/null
        said=$(cat "$fetched/.said")
        case $code,$said in
        0,*) return 0 ;;
        22,*' 416'*) rm -f "$1" && return ;; # there is less of it at the mirror than here
        22,*' 404'*) complain "failed: $mirror has no blob sha256:$2: $repair" || return ;;
        23,*) full "$said" || return ;;
        33,*) rm -f "$1" && true >"$1" ;; # the mirror knows no ranges
        143,*) return 1 ;; # the watch has said why
        *) [ "$(size_of "$1")" -gt "$came" ] || complain "failed: $mirror: ${said:-curl ended with $code}" || return ;;
        esac
    done
}

# full SAID: the disk is not left so.
full() {
    why=$1 free=$(free_at "$fetched")
    [ "${free:-0}" -ge 1024 ] || why='no space left on device'
    for it in $named; do
        [ ! -e "$fetched/sha256-${it%:*}-partial" ] || discard "${it%:*}"
    done
    complain "failed: $why, so its partial download was removed"
}

# right FILE DIGEST: whether it is what its name says.
right() {
    [ "$(sha256sum 2>/dev/null <"$1")" = "$2  -" ]
}

# fetch DIGEST BYTES: a blob, whole and verified. What was begun with another mirror, or before this one was
# repaired, is not blamed on it.
fetch() {
    file=$fetched/sha256-$1-partial had=$(size_of "$fetched/sha256-$1-partial")
    # The engine's own partial file, which only the engine can go on from.
    [ ! -e "$unfinished/$1" ] || in_pull "$1" || rm -f "$blobs/sha256-$1-partial" "$blobs/sha256-$1-partial-"*
    # Not by :, with which a shell ends where the file cannot be opened.
    { true >>"$file" && record "$1" "$model"; } || complain "failed: cannot write to $fetched and $unfinished" || return
    [ "$had" -eq 0 ] || [ "$had" -ge "$2" ] || echo "$model: resuming at $((had / 1000000)) MB"
    bring "$file" "$1" "$2" || return
    if [ "$had" -gt 0 ] && ! right "$file" "$1"; then
        rm -f "$file"
        bring "$file" "$1" "$2" || return
    fi
    right "$file" "$1" && return
    rm -f "$file"
    complain "failed: blob sha256:$1 of $mirror is damaged there, so it was rejected: $repair"
}

# own FILE: it is the engine's. Where files have no owners, all have the right one already, and chown may fail.
own() {
    [ "$(stat -c %u:%g "$1")" = "$owner" ] || chown "$owner" "$1"
}

# give FILE TO: to the store, as the engine's own, by one rename.
give() {
    own "$1" && chmod 644 "$1" && touch "$1" && mv -T "$1" "$2"
}

# spelled: the path by which the engine will look for the model: each part in the case in which some name has it
# already (getExistingName, v0.32.15).
spelled() {
    find -L "$store/manifests" -mindepth 4 -maxdepth 4 -type f -printf '%P\n' 2>/dev/null | awk -F / -v wanted="$path" '
        BEGIN { split(wanted, part) }
        tolower($0) == tolower(wanted) { found = $0 }
        { for (i = 1; i <= 4; i++) if (tolower($i) == tolower(part[i])) part[i] = $i }
        END { print found != "" ? found : part[1] "/" part[2] "/" part[3] "/" part[4] }'
}

# give_manifest: of publish_model, what was fetched into its place.
give_manifest() {
    cp "$fetched/.manifest" "$moving" && sync "$moving" && give "$moving" "$directory/$rest"
}

# publish_model: what was fetched is a model from now on.
publish_model() {
    owner=$(stat -L -c %u:%g "$blobs")
    for it in $named; do
        file=$fetched/sha256-${it%:*}-partial blob=$blobs/sha256-${it%:*}
        [ ! -e "$file" ] || give "$file" "$blob" || return
        [ "$(size_of "$blob")" = "${it#*:}" ] || { echo "sha256:${it%:*} disappeared meanwhile"; return 1; }
    done
    digest=$(sha256sum <"$fetched/.manifest")
    # Where names are not files, one that is there needs none; Ollama reads the file of one that is not.
    moved_as_files || ! is "$model" "${digest%  -}" || return 0
    directory=$store/manifests rest=$(spelled)
    while :; do
        [ -d "$directory" ] || { install -d -m 755 "$directory" && own "$directory"; } || return
        case $rest in */*) ;; *) break ;; esac
        directory=$directory/${rest%%/*} rest=${rest#*/}
    done
    moving=$(beside "$store" "$store/manifests")/.manifest
    by_way_of "$moving" give_manifest || return
    [ "$(digest_of "$model")  -" = "$digest" ] || { echo "its manifest is in place, but Ollama does not list it"; return 1; }
}

# get: the whole of it.
get() {
    why=$(curl -sSfL --max-time 60 -H "$accept" -o "$fetched/.manifest" "$source/manifests/$tag" 2>&1)
    case $?,$why in
    0,*) ;;
    22,*' 404'*) complain "failed: $mirror has no such model: fill it with ollama-slots-mirror" || return ;;
    *) complain "failed: $mirror: $why" || return ;;
    esac
    named=$(blobs_in "$fetched/.manifest") || complain "failed: $mirror did not answer with a manifest" || return
    for it in $named; do
        if [ -e "$blobs/sha256-${it%:*}" ] && [ "$(size_of "$blobs/sha256-${it%:*}")" = "${it#*:}" ]; then
            rm -f "$fetched/sha256-${it%:*}-partial" # somebody has brought the whole meanwhile
        else
            fetch "${it%:*}" "${it#*:}" || return
        fi
    done
    why=$(publish_model 2>&1) || complain "failed: $why"
}

begin "$damaged" || exit
take_turn fetch || exit
make_beside "${fetched%/*}" "$fetched" && true >"$fetched/.said" || # with that in it, nobody takes it for idle
    complain "failed: cannot make $fetched" || exit
for file in "$fetched"/sha256-*; do
    it=${file##*/sha256-}
    [ -e "$unfinished/${it%-partial}" ] || rm -f "$file" # no prune would list it
done
get
failed=$?
rm -f "$fetched/.manifest" "$fetched/.said"
rmdir "$fetched" 2>/dev/null
exec 8>&-
end "$failed"
