# Runs the warm-up unit; if it fails, repairs what can be repaired, or shows its log.
# needs: engine store moves look
# takes: url keep_alive load_seconds lock_seconds gpu
# gpu (yes|no): a slot must be wholly in GPU memory, unless its state says otherwise

# The engine keeps what a name can do for as long as it has the same manifest (server/model_inference_cache.go,
# v0.32.15). Where it first looked while the weights were missing, a pull that brings them back leaves the name
# unable to generate. So the name gets another manifest, is looked up, and gets its own back.
renew() { # renew NAME BASE
    use_store && mean "$1:current" "$1:latest" && mean "$1:latest" "$2" &&
        { api 30 /api/generate "{\"model\":\"$1:latest\",\"prompt\":\"Hi\",\"raw\":true,\"template\":\"-\"}" || :; } &&
        mean "$1:latest" "$1:current"
}

# refused: says that systemd could not start the unit's script at all, and why; fails where it did. What it cannot do
# for a script it tells by an exit status of its own (systemd.exec(5), "Process Exit Codes").
refused() {
    shown=$(systemctl show --property=Result,ExecMainStatus "$warm_up")
    status=$(printf '%s\n' "$shown" | sed -n 's/^ExecMainStatus=//p')
    case $shown in
    *Result=resources*) status=resources ;;
    *ExecMainStatus=2[0-4][0-9]*) ;;
    *) return 1 ;;
    esac
    case $status in
    203 | 209 | 222 | 238) return 1 ;; # of a file, no matter of rights
    217) status=$status/USER ;;
    218) status=$status/CAPABILITIES ;;
    225) status=$status/NETWORK ;;
    226) status=$status/NAMESPACE ;;
    228) status=$status/SECCOMP ;;
    esac
    echo "expected systemd to start $warm_up in its sandbox, found that this host refuses it ($status), as an" \
        "unprivileged container does: allow nesting for the container (LXC: security.nesting=true; Proxmox:" \
        "features: nesting=1), or relax the unit by a drop-in (docs/on-the-host.md), then deploy again" >&2
}

# crowded: whether slots push each other out: one is not in memory, and nothing of anybody else's is.
crowded() {
    main=$(engine_pid)
    observe && [ -z "$(others)" ] || return
    for name in $(slots); do
        why=$(proven "$name" "$gpu") || [ "$why" != "$away" ] || return 0
    done
    return 1
}

rm -f "$restarted"
said=$(systemctl restart "$warm_up" 2>&1) && exit 0
! refused || exit 1
[ -z "$said" ] || printf '%s\n' "$said" >&2
if [ -e "$restarted" ]; then
    # The unit had Ollama restarted for a GPU that was not ready before, and is started again by that.
    end=$(($(clock) + load_seconds))
    until systemctl is-active --quiet "$warm_up"; do
        [ "$(clock)" -lt "$end" ] || break
        sleep 1
    done
    systemctl is-active --quiet "$warm_up" && exit 0
    shown=$(systemctl show --property=ExecMainStatus "$warm_up") # of its second run, if that has failed, too
fi
one_at_a_time "$lock_seconds" "the repair of a warm-up"
# Of an Ollama that does not see the GPU no reload makes another one.
blind=''
! printf '%s\n' "$shown" | grep -qx ExecMainStatus=3 || blind=yes gpu=no
again='' silent=''
for name in $(slots); do
    if why=$(answer "$name:latest" "$(value asks "$name")"); then
        # What answers and is not found was loaded under a manifest that is gone: only a reload makes it known. And
        # what was loaded for the CPU, or when there was no room, stays where it is (seen on v0.34.4).
        why=$(proven "$name" "$gpu") || { unload "$name:latest" && again=yes; }
    else
        silent=yes
        case $why in *'does not support generate'*) renew "$name" "$(value model "$name")" >/dev/null && again=yes ;; esac
        use_store || continue
        for blob in $(damaged_of "$(value weights "$name")" "$(value variant "$name")"); do
            echo "slot $name: its weights sha256-$blob are damaged on the disk: the next deploy fetches them again" >&2
        done
    fi
done
# Once more where something was mended, or every slot is resident by now: what was in the way has gone.
[ -z "$again" ] && [ -n "$blind$silent" ] || ! systemctl restart "$warm_up" || exit 0
! systemctl is-active --quiet "$warm_up" || exit 0
# The warm-up loads the largest first: into memory that has none of them they fit as preflight has found.
if [ -z "$again$blind$silent" ] && crowded; then
    for name in $(slots); do works "$name" || unload "$name:latest"; done
    ! systemctl restart "$warm_up" || exit 0
fi
systemctl status --no-pager --lines=20 "$warm_up" >&2
exit 1
