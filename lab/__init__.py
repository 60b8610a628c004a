"""The lab: real hosts with real Ollamas on this machine, and a registry for them to pull from.

`python -m lab up` boots it and `python -m lab down` takes it away. There is one lab per machine, because its
addresses are fixed: bringing it up in one checkout clears away one that another checkout left behind. Only in
namespaces of its own (tests/lab/apart) can there be one more.
"""

from lab import hosts, registry

__all__ = ["hosts", "registry"]
