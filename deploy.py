"""The whole job: each task in order. Any of them also runs alone: pyinfra inventory.py tasks/models.py."""

from pyinfra import local

local.include("tasks/preflight.py")
local.include("tasks/service.py")
local.include("tasks/models.py")
local.include("tasks/warmup.py")
