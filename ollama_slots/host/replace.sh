# replace NEW FILE: the one takes the other's place by a rename, on the disk before it and after it: a power cut leaves
# the old one or the new one, and neither empty.
replace() {
    sync "$1" && mv "$1" "$2" && sync "${2%/*}"
}
