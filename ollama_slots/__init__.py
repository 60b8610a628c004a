"""Keep the right language models pulled, configured and hot in GPU memory on a fleet of Ollama hosts.

What a pyinfra project deploys is in ``deploys``. Behind it are rooms, each of which imports only from those below:

    deploys, mirror, verify               what is called from outside
    operations/                           one verb a file: reads, decides, yields what is missing
    run/                                  a run of pyinfra: its hosts, the steps taken on them, the slot table
    facts                                 what is read of a host
    host/, registry/                      the scripts on a host and their one front door; what registries have
    selection                             which models a selection file gives to the slots
    core/                                 the thinking, pure: from what is desired and observed to steps
"""

__version__ = "0.2.0"
