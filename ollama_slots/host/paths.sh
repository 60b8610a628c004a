# Every directory and file of ours, and of the system's that is looked at, on a host. All are below $root, which is empty
# on a host and a directory in a test: there it is the host. scripts.path reads this file, too.
# shellcheck disable=SC2034 # no script uses all of them
{
    state_dir=$root/var/lib/ollama-slots
    previous_states=$state_dir/previous
    bases=$state_dir/bases           # see bases.sh
    unfinished=$state_dir/unfinished # see unfinished.sh
    modelfiles=$root/etc/ollama/modelfiles
    previous_modelfiles=$modelfiles/previous

    lock=$root/run/ollama-slots.lock
    fetch_lock=$root/run/ollama-slots-fetch.lock
    candidates=$root/run/ollama-slots
    restarted=$root/run/ollama-warmup.restarted # that Ollama was restarted for its GPU

    environment_file=$root/etc/ollama/ollama-slots.env
    system_units=$root/etc/systemd/system
    drop_in=$system_units/ollama.service.d/zz-ollama-slots.conf # its name has it read after override.conf of systemctl edit
    outdated_drop_in=$system_units/ollama.service.d/ollama-slots.conf # of earlier deploys
    warm_up_unit=$system_units/ollama-warmup.service
    warm_up_script=$root/usr/local/lib/ollama-slots/ollama-warmup.sh

    runtime_units=$root/run/systemd/system # is there where systemd has booted the host
    invocations=$root/run/systemd/units    # a link for each unit that was started, made at its start
    proc=$root/proc
    own_process=/proc/self # of the script itself, which is no part of a host
    kfd=$root/dev/kfd      # of a GPU of AMD's
}
