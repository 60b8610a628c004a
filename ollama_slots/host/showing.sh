# What models are made of, and what room there is: shared by details.sh and probe.sh.
# needs: models store gpus
# Set before: $url (of the API), $store (where a script gets to the models, or nothing), $doubted (weights whose digest
# is to be checked)

card() { # card FIELDS
    driver 10 --query-gpu="$1" --format=csv,noheader,nounits 2>/dev/null
}

# show MODEL...: prints /api/show of models, which of their weights are missing or damaged, and free GPU memory and disk.
show() {
    next='' models=''
    for model in "$@"; do # each name makes way for its request
        set -- "$@" ${next:+"$next"} --max-time 60 -w '\n%{http_code}\n' -d "{\"model\":\"$model\"}" "$url/api/show"
        shift
        next=--next
        models="$models$model
"
    done
    answers=''
    [ $# -eq 0 ] || answers=$(ask "$@" 2>/dev/null)
    echo "== show"
    printf '%s\n' "$answers"
    # What asks for more: of a model whose figures differ by layer the lists, which it leaves out unless asked for
    # everything, the vocabulary, too, on whose size depends what an embedding model holds; and those that it cannot read.
    # Of the others the files that they are FROM. After each answer comes its status.
    of_layers='"[a-z0-9_.-]*\.attention\.(head_count_kv|sliding_window_pattern)":'
    of_words='"name":"token_embd\.weight","type":"[A-Za-z0-9_]*","shape":'
    told=$(printf '%s\n' "$answers" | LC_ALL=C models=$models lists="^[{].*($of_layers(\[\]|null)|\.pooling_type\":)" awk '
        BEGIN { split(ENVIRON["models"], model, "\n") }
        NR % 2 && $0 ~ ENVIRON["lists"] { print "lists\t" model[(NR + 1) / 2] }
        NR % 2 == 0 {
            if (/^5/) print "unreadable\t" model[NR / 2]
            fine = $0 == 200
            end()
            fine = 0
            next
        }'"$json_reader$print_froms"'
        function document() { if (fine) print_froms() }')
    shown='' unreadable=''
    echo "== lists"
    while IFS='	' read -r what model; do
        case $what,$model in
        /*/sha256-*,) shown="$shown$what
" ;;
        unreadable,?*) unreadable="$unreadable $model" ;;
        lists,?*)
            api 60 /api/show "{\"model\":\"$model\",\"verbose\":true}" | grep -aoE "($of_layers|$of_words)\[[0-9a-z,]+\]" |
                sed "s|^$of_words|\"token_embd\":|; s|^|$model |"
            ;;
        esac
    done <<END
$told
END
    # The engine answers from a cache: that it shows a model does not say that its weights are there, and whole.
    echo "== missing" # what is shown, and the blob that is not whole: that, or one that goes with it
    [ -n "$store" ] || store=${shown%%/blobs/*} # where this script gets to it
    # A line of one word is a blob that is shown; of two, with what goes with it; of three, its bytes: as expected or there.
    {
        printf %s "$shown"
        made_of
        find -L "$store/blobs" -maxdepth 1 -type f -printf '%f %s there\n' 2>/dev/null
    } | awk '
        { sub(/^(.*\/)?sha256-/, "") }
        NF == 1 && /^[0-9a-f]+$/ && !seen[$1]++ { shown[++count] = $1 }
        NF == 2 { with[$1] = with[$1] " " $2 }
        $3 == "expected" && !($1 in expected) { expected[$1] = $2 }
        $3 == "there" { there[$1] = $2 }
        END {
            for (at = 1; at <= count; at++) {
                blobs = split(shown[at] with[shown[at]], blob, " ")
                for (it = 1; it <= blobs; it++) {
                    bytes = there[blob[it]] + 0
                    whole = (bytes > 0) && (!(blob[it] in expected) || expected[blob[it]] == bytes)
                    print shown[at], blob[it], (whole ? "" : "missing")
                }
            }
        }' | while read -r first digest state; do
        [ -z "$state" ] || { echo "$first $digest" && continue; }
        case " $doubted " in *" $first "*) ! damaged "$digest" || echo "$first $digest" ;; esac
    done
    # What it cannot read it cannot show: damaged weights are named after their model.
    echo "== unreadable"
    for model in $unreadable; do
        for digest in $(stored_weights "$(digest_of "$model")"); do
            ! damaged "$digest" || echo "$model $digest"
        done
    done
    echo "== gpu"
    # Drivers of before 2022 do not know the last field, and answer nothing at all.
    card pci.bus_id,memory.total,memory.free,compute_cap || [ $? = 124 ] || card pci.bus_id,memory.total,memory.free
    echo "== disk"
    # Blobs may lie on a disk of their own, behind a link.
    if [ -d "$store/blobs" ]; then free_at "$store/blobs"; else free_at "$store"; fi
    echo "== blobs" # name and 512-byte blocks: a pull that was cut off left a file with holes
    find -H "$store/blobs" "$(fetches "$store")" -type f -printf '%f %b\n' 2>/dev/null
}
