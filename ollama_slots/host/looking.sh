# Sees a look of the watch succeed.
# takes: nothing
systemctl start "$watcher" || {
    echo "expected $watcher to look at the slots, found that it fails: journalctl -u $watcher says why; where the host" \
        "refuses its sandbox, relax the unit by a drop-in (docs/on-the-host.md), or set watch = \"off\"; then deploy" \
        "again" >&2
    exit 1
}
