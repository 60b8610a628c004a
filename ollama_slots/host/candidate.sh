# Makes a candidate of the benchmark, or takes it away; it is not loaded here. One that a run which was killed has left is
# unloaded first. Prints "made" and its manifest digest, "gone", or what went wrong.
# needs: engine store
# takes: url load_seconds lock_seconds verb candidate modelfile
# verb: make or remove; candidate: its name; modelfile: the sha256 of what is on stdin, less the newline at its end
# stdin: the Modelfile and a newline, for every user can read a command line
set -u
keep_alive=''
text=$(timeout 60 cat && echo .)
text=${text%
.}
exec </dev/null
file=$candidates/$candidate.Modelfile
trap 'rm -f "$file"' EXIT

fail() {
    printf '%s\n' "$*"
    exit 0
}

one_at_a_time "$lock_seconds" "the benchmark's candidate"
api 10 /api/version >/dev/null || fail "Ollama does not answer"
left=$(digest_of "$candidate:latest")
# Unloading goes by weights: what a user, or a slot, has loaded is not under this digest.
if [ -n "$left" ] && api 10 /api/ps | rows models digest | grep -qxF "$left" &&
    ! grep -qsF "weights=$(weights_of "$left")" "$state_dir"/*.slot; then
    unload "$candidate:latest"
fi
if [ "$verb" = remove ]; then
    why=$(delete "$candidate:latest") || fail "$why"
    echo gone
    exit 0
fi
use_store || fail "Ollama is not running"
install -d -m 700 "$candidates" || fail "cannot make $candidates"
(umask 077 && printf '%s' "$text" >"$file") || fail "cannot write $file"
[ "$(sha256sum <"$file" | cut -d ' ' -f 1)" = "$modelfile" ] ||
    fail "its Modelfile did not arrive as it was sent, on the script's stdin (which _su_password takes)"
set -- "$proc/$server/exe" create "$candidate:latest" -f "$file"
said=$(OLLAMA_HOST=$url NO_PROXY='*' timeout "$load_seconds" "$@" 2>&1) ||
    fail "ollama create failed: $(printf '%s\n' "$said" | tail -n 1)"
made=$(digest_of "$candidate:latest")
[ -n "$made" ] || fail "Ollama does not list $candidate:latest"
echo "made $made"
