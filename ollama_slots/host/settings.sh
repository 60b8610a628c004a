# Prints the lines that set Ollama's environment, for owner.py to work out what they add up to.

# mentions FILE...: the lines that may set a variable of Ollama's, or read in a file that does. What has 32 KiB or more,
# as a log may, is no file that somebody wrote for that; nor is a program.
mentions() {
    [ $# -eq 0 ] || find "$@" -prune -type f -size -65 -exec grep -IHnsE \
        'OLLAMA_|(^|[;&[:blank:]])(\.|source|([^[:blank:]]*/)?env)[[:blank:]]|\\$' {} + 2>/dev/null
}

# settings UNIT SHOWN: the lines, as grep -n has them, and when their files were changed. Of the unit's files all lines,
# which anybody on the host may read; of the files that these name, and of what scripts among those read in, no more than
# matters. SHOWN: the unit's FragmentPath, DropInPaths, EnvironmentFiles and ExecStart, as systemctl show has them.
# shellcheck disable=SC2086 # one path a line, and an EnvironmentFile= may have wildcards
settings() {
    IFS='
'
    # What systemd has not read yet, too.
    unit_files=$(printf '%s\n' "$2" | awk '
        sub(/^(FragmentPath|DropInPaths)=/, "") { gsub(" ", "\n"); if ($0 != "") print }')
    for file in "$system_units/$1.d"/*.conf "$runtime_units/$1.d"/*.conf; do
        case "$unit_files$IFS" in *"$file$IFS"*) ;; *) [ ! -e "$file" ] || unit_files="$unit_files$IFS$file" ;; esac
    done
    lines=$(grep -asnH '' $unit_files /dev/null)
    others=$(printf '%s\n' "$2" "$lines" | awk '
        function name(path) { if (!(path in named)) print path; named[path] = 1 }
        { sub(/^\/[^:]*:[0-9]+:/, ""); sub(/^[ \t]+/, "") }
        sub(/^EnvironmentFiles=/, "") { sub(/ \(ignore_errors=.*/, ""); name($0) }
        sub(/^EnvironmentFile[ \t]*=[ \t]*-?/, "") { name($0) }
        sub(/^ExecStart[ \t]*=/, "") {
            while (match($0, /\/[^ \t:;&|()<>$`{}"\047]*/)) {
                name(substr($0, RSTART, RLENGTH))
                $0 = substr($0, RSTART + RLENGTH)
            }
        }')
    said=$(mentions $others)
    read_in=''
    case $said in
    *.[[:blank:]]* | *source*)
        read_in=$(printf '%s\n' "$said" |
            grep -oE '[:;&[:blank:]](\.|source)[[:blank:]]+["'\'']?/[^[:blank:];&"'\'']*' | grep -o '/.*')
        ;;
    esac
    echo "== settings"
    printf '%s\n' "$lines" "$said"
    mentions $read_in
    echo "== changed"
    stat -L -c '%.Y %n' $unit_files $others $read_in "$system_units/$1.d" 2>/dev/null
    stat -c '%.Y %n' "$invocations/invocation:$1" 2>/dev/null # made at each start
    date '+%s.%N now'
}
