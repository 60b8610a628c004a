# Prints what /api/show says of models, which of their weights are not on the disk, and the GPU memory.
# Changes nothing. Arguments: URL MODEL...
url=$1
shift
next=''
for model in "$@"; do # each name makes way for its request
    set -- "$@" ${next:+"$next"} -s --max-time 60 -w '\n%{http_code}\n' -d "{\"model\":\"$model\"}" "$url/api/show"
    shift
    next=--next
done
[ $# -eq 0 ] || answers=$(curl "$@")
echo "== show"
printf '%s\n' "${answers-}"
# The engine answers from a cache: that it shows a model does not say that its weights are there.
echo "== missing"
printf '%s\n' "${answers-}" | grep -o 'FROM /[^\\]*/sha256-[0-9a-f]*' | sort -u | while read -r _ blob; do
    [ -s "$blob" ] || echo "${blob##*sha256-}"
done
echo "== gpu"
nvidia-smi --query-gpu=memory.total,memory.free --format=csv,noheader,nounits 2>/dev/null
exit 0
