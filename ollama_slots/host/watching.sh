# Has the timer of the watch run, or has no watch at all.
# takes: verb
# verb: start, also anew; or end: its files and records go
if [ "$verb" = start ]; then
    systemctl restart "$watch_timer"
else
    systemctl disable --quiet --now "$watch_timer" 2>/dev/null # it may be gone in part
    systemctl reset-failed "$watcher" "$healer" 2>/dev/null # it would be listed as failed until the next boot
    rm -rf "$watch_script" "$watch_unit" "$heal_unit" "$watch_timer_unit" "${heals%/*}" "$looks" "$looked" &&
        systemctl daemon-reload
fi
