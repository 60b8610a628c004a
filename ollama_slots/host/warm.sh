# Runs the warm-up unit; shows what it said if it fails. Follows engine.sh.
# Arguments: URL KEEP_ALIVE LOAD_SECONDS LOCK_SECONDS
url=$1 keep_alive=$2 load_seconds=$3 lock_seconds=$4

# The engine keeps what a name can do for as long as it has the same manifest (server/model_inference_cache.go,
# v0.32.15). Where it first looked while the weights were missing, a pull that brings them back leaves the name
# unable to generate. So the name gets another manifest, is looked up, and gets its own back.
renew() { # renew NAME BASE
    api 30 /api/copy "{\"source\":\"$1:latest\",\"destination\":\"$1:next\"}" &&
        api 30 /api/copy "{\"source\":\"$2\",\"destination\":\"$1:latest\"}" &&
        { api 30 /api/generate "{\"model\":\"$1:latest\",\"prompt\":\"Hi\",\"raw\":true,\"template\":\"-\"}" || :; } &&
        api 30 /api/copy "{\"source\":\"$1:next\",\"destination\":\"$1:latest\"}" && delete "$1:next"
}

systemctl restart ollama-warmup.service && exit 0
one_at_a_time "$lock_seconds"
again=''
for state in "$state_dir"/*.slot; do
    name=${state##*/}
    name=${name%.slot}
    if why=$(answer "$name:latest"); then
        # What answers and is not found was loaded under a manifest that is gone: only a reload makes it known.
        why=$(proven "$name" no) || { unload "$name:latest" && again=yes; }
    else
        case $why in *'does not support generate'*) renew "$name" "$(value model "$name")" >/dev/null && again=yes ;; esac
    fi
done
[ -z "$again" ] || ! systemctl restart ollama-warmup.service || exit 0
systemctl status --no-pager --lines=20 ollama-warmup.service >&2
exit 1
