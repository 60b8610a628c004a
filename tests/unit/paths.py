"""Paths on a host whose Ollama is that of ``ollama.service``."""

from ollama_slots.host import scripts

WARM_UP_SCRIPT = scripts.path("warm_up_script")
WARM_UP_UNIT = scripts.path("warm_up_unit")
WATCH_SCRIPT = scripts.path("watch_script")
DROP_IN = scripts.path("drop_in")
ENVIRONMENT = scripts.path("environment_file")
OUTDATED = scripts.path("outdated_drop_in")
