# The record of the bases that deploys pulled: one a line, with the time at which Ollama lists it. Whoever
# pulls it again changes that time, and the base is theirs.
# needs: ask json replace

# note_base NAME:TAG [TIME]: it is recorded with this time, and with no other; without one, it is recorded no more.
note_base() {
    true >>"$bases" || return
    others=$(grep -ivx "$(printf '%s' "$1" | sed 's/\./\\./g') .*" "$bases") || [ $? -eq 1 ] || return
    printf '%s\n' ${others:+"$others"} ${2:+"$1 $2"} >"$bases.new" &&
        replace "$bases"
}

# note_pulled NAME:TAG: it was pulled just now.
note_pulled() {
    listed=$(api 10 /api/tags | rows models "name=$1" modified_at | head -n 1)
    [ -n "$listed" ] && install -d -m 755 "$state_dir" && note_base "$1" "$listed"
}
