# replace FILE...: FILE.new takes the place of each by a rename, on the disk before it and after it: a power cut leaves
# the old one or the new one, and neither empty.
replace() {
    for new_file in "$@"; do shift && set -- "$@" "$new_file.new"; done
    sync "$@" || return
    for new_file in "$@"; do
        mv "$new_file" "${new_file%.new}" || return
        shift && set -- "$@" "${new_file%/*}"
    done
    sync "$@"
}
