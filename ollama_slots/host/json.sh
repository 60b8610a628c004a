# One exact reader of JSON: for what the engine answers, what a registry sends, and what a manifest says.

# The reader, a program of awk without its end: that defines what is done with a document, whose leaves are paths[1] and
# values[1] to paths[count] and values[count] in their order, or none where it is not JSON from its begin to its end; and
# may say that it has failed. A text is decoded, but for what would not be one line: a backslash is \\, and a control
# character \n, \r, \t or \u001b. In a key ~ is ~0 and / is ~1 (RFC 6901), so no key can look like another path.
# shellcheck disable=SC2016 # awk's
json_reader='
    function begin() { depth = count = wrong = 0; next_is = VALUE }
    function end() {
        if (wrong || depth || next_is != COMMA) { count = 0; failed = 1 }
        document()
        begin()
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
    function leaf(it) { paths[++count] = path(); values[count] = it }
    function token(it, first, at) {
        first = substr(it, 1, 1)
        if (it == "\001") end()
        else if (wrong) return
        else if (first == ",") {
            if (next_is != COMMA || !depth) wrong = 1
            next_is = list[depth] ? VALUE : KEY
        } else if (first == ":") {
            if (next_is != COLON) wrong = 1
            next_is = VALUE
        } else if (first == "}" || first == "]") {
            if (!depth || list[depth] != (first == "]") || next_is % 2) wrong = 1
            depth--
            next_is = COMMA
        } else if (next_is == KEY || next_is == KEY_OR_END) {
            if (first != "\"") wrong = 1
            key = text(it)
            if (key ~ /[~\/]/) { gsub(/~/, "~0", key); gsub(/\//, "~1", key) }
            next_is = COLON
        } else if (next_is > VALUE_OR_END) wrong = 1
        else if (first == "{" || first == "[") {
            at = path()
            place[++depth] = at
            list[depth] = first == "["
            item[depth] = 0
            next_is = list[depth] ? VALUE_OR_END : KEY_OR_END
        } else {
            if (first == "\"") leaf(text(it))
            else if (it ~ /^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)$/) leaf(it)
            else wrong = 1
            next_is = COMMA
        }
    }
    BEGIN {
        VALUE = 1; VALUE_OR_END = 2; KEY = 3; KEY_OR_END = 4; COLON = 5; COMMA = 6 # or the end of what is open
        two = "[0-9a-fA-F][0-9a-fA-F]"
        PAIR = "\\\\u[dD][89abAB]" two "\\\\u[dD][c-fC-F]" two
        SINGLE = "\\\\u" two two
        SPACE = " \t\n\v\f\r" # no [:space:], which mawk has only since 1.3.4
        TOKEN = "\"([^\"\\\\\001-\037]|\\\\.)*\"|[][{}:,]|[^][{}:,\"" SPACE "]+|[^" SPACE "]"
        BLANKS = "^[" SPACE "]+"
        begin()
    }
    {
        gsub(TOKEN, "&\n")
        tokens = split($0, token_at, "\n")
        for (line_at = 1; line_at <= tokens; line_at++) {
            it = token_at[line_at]
            sub(BLANKS, "", it)
            if (it != "") token(it)
        }
    }
    END { end() }'

# read_json: the JSON on stdin as its leaves, PATH<tab>VALUE on a line each, such as models/0/digest<tab>sha256:...; nothing,
# and a failure, where it is not JSON. Of an empty object or list there is no leaf.
# Several documents have a line of \001 between them, and their leaves an empty one; each is left out for itself.
read_json() {
    LC_ALL=C awk "$json_reader"'
        function document(at) {
            if (documents++) print ""
            for (at = 1; at <= count; at++) print paths[at] "\t" values[at]
        }
        END { exit failed }'
}

# value_of PATH: the value there, of the JSON on stdin; fails where there is none.
value_of() {
    LC_ALL=C awk -v wanted="$1" "$json_reader"'
        function document(at) {
            for (at = count; at && paths[at] != wanted; at--);
            if (at) print values[at]
            else failed = 1
        }
        END { exit failed }'
}

# rows LIST KEY...: of the JSON on stdin, a line for each object in that list, with the values of these keys, or - for one
# that it lacks, and tabs between. KEY=VALUE instead of a key: only those of which that is so, in whatever case.
rows() {
    LC_ALL=C awk "$json_reader"'
        BEGIN {
            above = ARGV[1] "/"
            ARGV[1] = ""
            for (at = 2; at < ARGC; at++) {
                cut = index(ARGV[at], "=")
                if (cut) wanted[substr(ARGV[at], 1, cut - 1)] = tolower(substr(ARGV[at], cut + 1))
                else keys[++columns] = ARGV[at]
                ARGV[at] = ""
            }
        }
        function document(at, below, total, row, line, key) {
            for (at = 1; at <= count; at++) if (index(paths[at], above) == 1) {
                below = substr(paths[at], length(above) + 1)
                given[below] = values[at]
                if (below + 0 >= total) total = below + 1
            }
            for (row = 0; row < total; row++) {
                line = ""
                for (at = 1; at <= columns; at++) {
                    below = row "/" keys[at]
                    line = line (at > 1 ? "\t" : "") (below in given ? given[below] : "-")
                }
                for (key in wanted) if (tolower(given[row "/" key]) != wanted[key]) line = ""
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
