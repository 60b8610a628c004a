# Shared by the scripts on a host: what Ollama lists, shows and holds, and what its answers say.
# needs: ask json

# named: every name that Ollama lists, and its digest; one of several of each, where it is a manifest list (from 0.40 on).
# Fails where it does not answer.
named() {
    hear 10 /api/tags && printf '%s\n' "$heard" | named_in
}

# named_in: the same of an answer of /api/tags on stdin.
named_in() {
    rows models name digest
}

# digest_of NAME:TAG [NAMED]: the manifest digest of a model that is there, or nothing; the first of several. NAMED: what
# named said, where it was asked a moment ago.
digest_of() {
    awk -F '\t' -v name="$1" 'tolower($1) == tolower(name) && !found++ { print $2 }' <<END
${2-$(named)}
END
}

# digests_of NAME:TAG [NAMED]: all of them, a line each.
digests_of() {
    awk -F '\t' -v name="$1" 'tolower($1) == tolower(name) { print $2 }' <<END
${2-$(named)}
END
}

# is NAME:TAG DIGEST [NAMED]: whether a model that is there has that manifest.
is() {
    awk -F '\t' -v name="$1" -v digest="${2:-none}" '
        tolower($1) == tolower(name) && $2 == digest { found = 1 }
        END { exit !found }' <<END
${3-$(named)}
END
}

# print_froms(): of an answer of /api/show, whose leaves are read, the files that its Modelfile is FROM, in their order: its
# weights come first. A function of awk. What a license or a prompt has in it is none: the engine quotes a text of several
# lines with " or """ (parser/parser.go, v0.32.15).
# shellcheck disable=SC2016 # awk's
print_froms='
    function print_froms(at) {
        for (at = 1; at <= count; at++) if (paths[at] == "modelfile") print_froms_of(values[at])
    }
    function print_froms_of(modelfile, lines, total, at, line, quotes) {
        gsub(/\\\\/, "\001", modelfile)
        total = split(modelfile, lines, /\\n/)
        for (at = 1; at <= total; at++) {
            line = lines[at]
            sub(/\\r$/, "", line)
            if (quotes != "") {
                if (index(line, quotes)) quotes = ""
            } else if (line ~ /^FROM /) {
                gsub("\001", "\\", line)
                print substr(line, 6)
            } else if (match(line, /^[A-Z]+ ([a-z_]+ )?"/)) {
                quotes = substr(line, RLENGTH, 3) == "\"\"\"" ? "\"\"\"" : "\""
                if (index(substr(line, RLENGTH + length(quotes)), quotes)) quotes = ""
            }
        }
    }'

# froms: of an answer of /api/show on stdin, the files that the model is FROM.
froms() {
    LC_ALL=C awk "$json_reader$print_froms"' function document() { print_froms() }'
}

# weights_of DIGEST [NAMED]: the blob behind a manifest that some name still has, or nothing.
weights_of() {
    whose=$(printf '%s\n' "${2-$(named)}" | awk -F '\t' -v digest="$1" '$2 == digest && !found++ { print $1 }')
    [ -z "$whose" ] || api 10 /api/show "{\"model\":\"$whose\"}" | froms |
        sed -n '1s/.*sha256-\([0-9a-f]\{64\}\)$/\1/p'
}

# held: what Ollama holds in memory: DIGEST BYTES BYTES_IN_GPU WINDOW EXPIRY NAME of each.
held() {
    api 10 /api/ps | held_in
}

# held_in: the same of an answer of /api/ps on stdin.
held_in() {
    rows models digest size size_vram context_length expires_at name
}

# runner WEIGHTS DIGESTS [HELD]: what is held of the weights. A runner is found by them and keeps the digest under which it
# was loaded: one of those known for the weights, or one that a name still has. HELD: what held said, where it was asked
# a moment ago.
runner() {
    loaded_now=${3-$(held)}
    # Those that are known first: to ask what another one is made of takes longer than all the rest.
    awk -F '\t' -v known=" $2 " '
        $1 != "" && index(known, " " $1 " ") && !found++ { print }
        END { exit !found }' <<END && return
$loaded_now
END
    for digest in $(printf '%s\n' "$loaded_now" | cut -f 1); do
        [ "$(weights_of "$digest")" = "$1" ] || continue
        printf '%s\n' "$loaded_now" | grep "^$digest	" && return
    done
}

# error_in ANSWER: what an API answer says went wrong, in short and on one line; of what is no JSON, all of it.
error_in() {
    {
        printf '%s\n' "${1%
HTTP *}" | value_of error | grep -a . || printf '%s\n' "$1" | tr -s '\n\t\r' ' ' | sed 's/^ //; s/ $//; s/\\/\\\\/g'
    } | plain | LC_ALL=C awk '
        {
            for (end = 600; substr($0, end + 1, 1) >= "\200" && substr($0, end + 1, 1) < "\300"; end--); # within a letter
            print substr($0, 1, end) (length($0) > end ? "..." : "")
        }'
}
