# One exact reader of JSON: for what the engine answers, what a registry sends, and what a manifest says.

# read_json: the JSON on stdin as its leaves, PATH<tab>VALUE on a line each, such as models/0/digest<tab>sha256:...; nothing,
# and a failure, where it is not JSON from its begin to its end. Of an empty object or list there is no leaf.
# A text is decoded, but for what would not be one line: a backslash is \\, and a control character \n, \r, \t or \u001b.
# In a key ~ is ~0 and / is ~1 (RFC 6901), so no key can look like another path.
# Several documents have a line of \001 between them, and their leaves an empty one; each is left out for itself.
read_json() {
    any="[^\"\\\\[:cntrl:]]|$(printf '\177')|\\\\."
    LC_ALL=C grep -aoE "\"($any)*\"|[][{}:,]|[^][{}:,\"[:space:]]+|[^[:space:]]" | LC_ALL=C awk '
        function begin() { depth = count = wrong = 0; next_is = VALUE }
        function end(leaf) {
            if (wrong || depth || next_is != COMMA) failed = 1
            else for (leaf = 1; leaf <= count; leaf++) print leaves[leaf]
        }
        function path(last) { # of the value that begins
            last = list[depth] ? item[depth]++ : key
            return depth > 1 ? place[depth] "/" last : depth ? last : ""
        }
        function text(quoted, escape, hex) {
            if (length(quoted) < 2) wrong = 1
            quoted = substr(quoted, 2, length(quoted) - 2)
            if (!index(quoted, "\\")) return quoted
            gsub(/\\\\/, "\001\001", quoted) # \001: a backslash that stays
            gsub(/\\"/, "\"", quoted)
            gsub(/\\\//, "/", quoted)
            gsub(/\\b/, "\001u0008", quoted)
            gsub(/\\f/, "\001u000c", quoted)
            while (match(quoted, PAIR) || match(quoted, SINGLE)) {
                escape = substr(quoted, RSTART, RLENGTH)
                hex = tolower(escape)
                escape = "\\\\" substr(escape, 2, 5) (RLENGTH > 6 ? "\\\\" substr(escape, 8) : "")
                gsub(escape, utf8(number(substr(hex, 3, 4)), number(substr(hex, 9))), quoted)
            }
            if (quoted ~ /\\([^nrt]|$)/) wrong = 1
            gsub("\001", "\\", quoted)
            return quoted
        }
        function number(hex, sum, digit) {
            for (digit = 1; digit <= length(hex); digit++)
                sum = 16 * sum + index("123456789abcdef", substr(hex, digit, 1))
            return sum + 0
        }
        function byte(code, divisor, first) { # of one of several: the first, or six bits with a mark
            return sprintf("%c", first ? first + int(code / divisor) : 128 + int(code / divisor) % 64)
        }
        function utf8(code, second) { # second: of a pair, or 0
            if (second) code = 65536 + (code - 55296) * 1024 + second - 56320
            else if (code >= 55296 && code < 57344) code = 65533 # half a pair
            if (code == 92) return "\001\001"
            if (code == 38) return "\\&" # for gsub
            if (code == 10) return "\001n"
            if (code == 13) return "\001r"
            if (code == 9) return "\001t"
            if (code < 32) return sprintf("\001u%04x", code)
            if (code < 128) return sprintf("%c", code)
            if (code < 2048) return byte(code, 64, 192) byte(code, 1)
            if (code < 65536) return byte(code, 4096, 224) byte(code, 64) byte(code, 1)
            return byte(code, 262144, 240) byte(code, 4096) byte(code, 64) byte(code, 1)
        }
        BEGIN {
            VALUE = 1; VALUE_OR_END = 2; KEY = 3; KEY_OR_END = 4; COLON = 5; COMMA = 6 # or the end of what is open
            two = "[0-9a-fA-F][0-9a-fA-F]"
            PAIR = "\\\\u[dD][89abAB]" two "\\\\u[dD][c-fC-F]" two
            SINGLE = "\\\\u" two two
            begin()
        }
        wrong && $0 != "\001" { next }
        { first = substr($0, 1, 1) }
        first == "," {
            if (next_is != COMMA || !depth) wrong = 1
            next_is = list[depth] ? VALUE : KEY
            next
        }
        first == ":" {
            if (next_is != COLON) wrong = 1
            next_is = VALUE
            next
        }
        first == "}" || first == "]" {
            if (!depth || list[depth] != (first == "]") || next_is % 2) wrong = 1
            depth--
            next_is = COMMA
            next
        }
        $0 == "\001" { end(); print ""; begin(); next }
        next_is == KEY || next_is == KEY_OR_END {
            if (first != "\"") wrong = 1
            key = text($0)
            if (key ~ /[~\/]/) { gsub(/~/, "~0", key); gsub(/\//, "~1", key) }
            next_is = COLON
            next
        }
        next_is > VALUE_OR_END { wrong = 1; next }
        first == "{" || first == "[" {
            at = path()
            place[++depth] = at
            list[depth] = first == "["
            item[depth] = 0
            next_is = list[depth] ? VALUE_OR_END : KEY_OR_END
            next
        }
        {
            if (first == "\"") leaves[++count] = path() "\t" text($0)
            else if (/^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)$/)
                leaves[++count] = path() "\t" $0
            else wrong = 1
            next_is = COMMA
        }
        END { end(); exit failed }'
}

# value_of PATH: the value there, of the JSON on stdin; fails where there is none.
value_of() {
    read_json | LC_ALL=C awk -F '\t' -v path="$1" '
        $1 == path { value = $2; found = 1 }
        END { if (found) print value; exit !found }'
}

# rows LIST KEY...: of the JSON on stdin, a line for each object in that list, with the values of these keys, or - for one
# that it lacks, and tabs between. KEY=VALUE instead of a key: only those of which that is so, in whatever case.
rows() {
    from=$1
    shift
    read_json | LC_ALL=C awk -F '\t' -v list="$from/" '
        BEGIN {
            for (at = 1; at < ARGC; at++) {
                cut = index(ARGV[at], "=")
                if (cut) wanted[substr(ARGV[at], 1, cut - 1)] = tolower(substr(ARGV[at], cut + 1))
                else keys[++count] = ARGV[at]
                ARGV[at] = ""
            }
        }
        index($1, list) == 1 {
            path = substr($1, length(list) + 1)
            row = path + 0
            values[path] = $2
            if (row >= total) total = row + 1
        }
        END {
            for (row = 0; row < total; row++) {
                line = ""
                for (at = 1; at <= count; at++) {
                    path = row "/" keys[at]
                    line = line (at > 1 ? "\t" : "") (path in values ? values[path] : "-")
                }
                for (key in wanted) if (tolower(values[row "/" key]) != wanted[key]) line = ""
                if (line != "") print line
            }
        }' "$@"
}

# plain: the text of a leaf on stdin for people to read, on one line; of a page that a proxy or registry answered with,
# no more than its text.
plain() {
    LC_ALL=C awk '{
        gsub(/\\\\/, "\001")
        gsub(/(\\[nr])+/, "; ")
        gsub(/\\t/, " ")
        gsub("\001", "\\")
        if (match(tolower($0), /<(!doctype|html|head|body|h[1-6])[ >]/)) { # a page: what its title says, or all of it does
            page = substr($0, RSTART)
            $0 = substr($0, 1, RSTART - 1)
            if (match(tolower(page), /<title>[^<]*/)) page = substr(page, RSTART + 7, RLENGTH - 7)
            gsub(/(; )*<[^<>]*>(; )*/, " ", page)
            gsub(/  +/, " ", page)
            sub(/^ /, "", page)
            sub(/ $/, "", page)
            $0 = $0 page
        }
        sub(/(; )+$/, "")
        print
    }'
}
