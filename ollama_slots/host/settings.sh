# Prints the lines that set Ollama's environment, for owner.py to work out what they add up to.

# What gives all that a file sets to export or env.
reads_in='(export|env)[[:blank:]].*\$\((cat|grep[[:blank:]]+-v)[[:blank:]]'

# mentions FILE...: the lines that may set a variable of Ollama's, or read in a file that does. What has 32 KiB or more,
# as a log may, is no file that somebody wrote for that; nor is a program.
mentions() {
    [ $# -eq 0 ] || find -L "$@" -prune -type f -size -65 -exec grep -IHnsE \
        'OLLAMA_|(^|[;&[:blank:]])(\.|source|([^[:blank:]]*/)?env)[[:blank:]]|'"$reads_in|"'\\$' {} + 2>/dev/null
}

# settings UNIT SHOWN: the lines, as grep -n has them, and when their files were changed. Of the unit's files all lines,
# which anybody on the host may read; of the files that these name, and of what scripts among those read in, no more than
# matters. SHOWN: the unit's FragmentPath, DropInPaths, EnvironmentFiles and ExecStart, as systemctl show has them.
# shellcheck disable=SC2086 # one path a line, and an EnvironmentFile= may have wildcards
settings() {
    newline='
'
    unit_files=''
    set -f
    IFS=$newline
    for line in $2; do
        case $line in FragmentPath=* | DropInPaths=*) ;; *) continue ;; esac
        IFS=' '
        for file in ${line#*=}; do unit_files=$unit_files$newline$file; done
    done
    IFS=$newline
    set +f
    # What systemd has not read yet, too.
    for file in "$system_units/$1.d"/*.conf "$runtime_units/$1.d"/*.conf; do
        case "$unit_files$newline" in *"$newline$file$newline"*) ;; *) [ ! -e "$file" ] || unit_files=$unit_files$newline$file ;; esac
    done
    lines=$(grep -asnH '' $unit_files /dev/null)
    others=$(printf '%s\n' "$2" "$lines" | awk '
        function name(path) { if (path ~ /^\// && !(path in named)) print path; named[path] = 1 }
        { sub(/^\/[^:]*:[0-9]+:/, ""); sub(/^[ \t]+/, "") }
        sub(/^EnvironmentFiles=/, "") { sub(/ \(ignore_errors=.*/, ""); name($0) }
        sub(/^EnvironmentFile[ \t]*=[ \t]*-?/, "") { name($0) }
        sub(/^ExecStart[ \t]*=/, "") {
            sub(/ ; ignore_errors=.*/, "") # what systemctl says of its last run
            while (match($0, /\/[^ \t:;&|()<>$`{}"\047]*/)) {
                name(substr($0, RSTART, RLENGTH))
                $0 = substr($0, RSTART + RLENGTH)
            }
        }')
    said=$(mentions $others)
    read_in=''
    case $said in
    *.[[:blank:]]* | *source* | *\$\(*)
        read_in=$(printf '%s\n' "$said" |
            grep -oE '[:;&[:blank:]](\.|source)[[:blank:]]+["'\'']?/[^[:blank:];&"'\'']*|'"$reads_in"'[^)]*' |
            grep -oE '[[:blank:]"'\'']/[^[:blank:];&|"'\'')]*' | grep -o '/.*')
        ;;
    esac
    echo "== settings"
    printf '%s\n' "$lines" "$said"
    mentions $read_in
    echo "== changed"
    # The link is made at each start; it leads to no file, and so it is looked at itself. A process has been there since it
    # was first looked at, and so its own tells the time (proc_pid_make_inode in Linux).
    find -L $unit_files $others $read_in "$system_units/$1.d" "$started" "$own_process" -maxdepth 0 \
        -printf '%T@ %p\n' 2>/dev/null || : # what is not there has no time
}
