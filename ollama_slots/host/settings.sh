# Where the environment of Ollama is set, for owner.py to say what it comes to.

# mentions FILE...: of small texts the lines that may set a variable of Ollama's, or read in a file that does.
mentions() {
    for file; do
        [ ! -f "$file" ] || head -c 65536 "$file" |
            grep -IHn --label="$file" -E 'OLLAMA_|(^|[;&[:blank:]])(\.|source|([^[:blank:]]*/)?env)[[:blank:]]|\\$'
    done
}

# settings UNIT: the lines, as grep -n has them, and when their files were changed. Of the unit's files all lines, which
# anybody on the host may read; of the files that these name, and of what scripts among those read in, no more than matters.
# shellcheck disable=SC2086 # one path a line, and an EnvironmentFile= may have wildcards
settings() {
    named=$(systemctl show --property=FragmentPath,DropInPaths,EnvironmentFiles,ExecStart "$1")
    IFS='
'
    unit_files=$({
        printf '%s\n' "$named" | sed -n 's/^FragmentPath=//p; s/^DropInPaths=//p' | tr ' ' '\n'
        ls -d "/etc/systemd/system/$1.d"/*.conf "/run/systemd/system/$1.d"/*.conf # systemd may not have read them yet
    } 2>/dev/null | sort -u)
    text=$(grep -ahs '' $unit_files /dev/null)
    others=$({
        printf '%s\n' "$named" | sed -n 's/^EnvironmentFiles=\(.*\) (ignore_errors=.*/\1/p'
        printf '%s\n' "$text" | sed -n 's/^[[:blank:]]*EnvironmentFile[[:blank:]]*=[[:blank:]]*-\{0,1\}//p'
        printf '%s\n' "$named" "$text" | grep '^[[:blank:]]*ExecStart[[:blank:]]*=' |
            grep -o '/[^[:blank:]:;&|()<>$`{}"'\'']*'
    } 2>/dev/null | sort -u)
    said=$(mentions $others)
    read_in=$(printf '%s\n' "$said" | grep -oE '[:;&[:blank:]](\.|source)[[:blank:]]+["'\'']?/[^[:blank:];&"'\'']*' |
        grep -o '/.*')
    echo "== settings"
    grep -asnH '' $unit_files /dev/null
    printf '%s\n' "$said"
    mentions $read_in
    echo "== changed"
    stat -L -c '%.Y %n' $unit_files $others $read_in "/etc/systemd/system/$1.d" 2>/dev/null
    stat -c '%.Y %n' "/run/systemd/units/invocation:$1" 2>/dev/null # made at each start
    date '+%s.%N now'
}
