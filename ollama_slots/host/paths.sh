# Every directory and file of ours, and of the system's that is looked at, on a host. All are below $root, which is empty
# on a host and a directory in a test: there it is the host. scripts.path reads this file, too.
# A host may have several Ollamas, each the process of a $unit, and deploys to them may run at once: what is ours of one
# is named after its $stem (core/units.py), which is "ollama" for ollama.service.
# shellcheck disable=SC2034 # no script uses all of them
{
    warm_up=$stem-warmup.service
    ahead=$stem-slots-ahead.service
    watcher=$stem-slots-watch.service
    watch_timer=$stem-slots-watch.timer
    healer=$stem-slots-heal.service

    state_dir=$root/var/lib/$stem-slots
    previous_states=$state_dir/previous
    bases=$state_dir/bases           # see bases.sh
    unfinished=$state_dir/unfinished # see unfinished.sh
    heals=$state_dir/watch/heals     # what the watch has counted, a file for each slot
    modelfiles=$root/etc/$stem/modelfiles
    previous_modelfiles=$modelfiles/previous

    lock=$root/run/$stem-slots.lock
    fetch_lock=$root/run/ollama-slots-fetch.lock # of all: two Ollamas may have one store
    candidates=$root/run/$stem-slots
    gpus_found=$root/run/$stem-slots.gpus # see gpus.sh
    looked=$root/run/$stem-slots.looked   # what the watch found well
    looks=$root/run/$stem-slots-watch     # what it last saw and did, a file for each slot, by the clock of this boot
    restarted=$root/run/$stem-warmup.restarted # that Ollama was restarted for its GPU
    metrics_dir=$root/var/lib/$stem-warmup     # the warm-up's StateDirectory

    environment_file=$root/etc/$stem/ollama-slots.env
    system_units=$root/etc/systemd/system
    drop_in=$system_units/$unit.d/zz-ollama-slots.conf # its name has it read after override.conf of systemctl edit
    outdated_drop_in=$system_units/$unit.d/ollama-slots.conf # of earlier deploys
    warm_up_unit=$system_units/$warm_up
    warm_up_script=$root/usr/local/lib/ollama-slots/$stem-warmup.sh
    watch_timer_unit=$system_units/$watch_timer
    watch_unit=$system_units/$watcher
    heal_unit=$system_units/$healer
    watch_script=$root/usr/local/lib/ollama-slots/$stem-slots-watch.sh

    runtime_units=$root/run/systemd/system # is there where systemd has booted the host
    invocations=$root/run/systemd/units    # a link for each unit that was started, made at its start
    started=$invocations/invocation:$unit
    proc=$root/proc
    memory_disk=$root/dev/shm
    own_process=/proc/self # of the script itself, which is no part of a host
    kfd=$root/dev/kfd      # of a GPU of AMD's
}
