# Whether a host is as it was when it was looked at.

# since [START]: what is another one once somebody has changed this host: who had the lock last, and which start of
# Ollama's it is.
since() {
    who=''
    { IFS= read -r who <"$lock"; } 2>/dev/null
    printf '%s\n' "$who, ${1-$(readlink "$started")}"
}
