"""The whole job: each task in order, on canaries first. One alone: pyinfra inventory.py tasks/models.py."""

from pyinfra import host, local


def slots() -> None:
    """What is done on a host."""
    local.include("tasks/service.py")
    local.include("tasks/models.py")
    local.include("tasks/warmup.py")


local.include("tasks/preflight.py")
if "canary" in host.groups:
    slots()
local.include("tasks/canary.py")
if "canary" not in host.groups:
    slots()
