"""The way to the scripts of host/: how a test has one run below a directory. As the product renders them today."""

from __future__ import annotations

import re
from pathlib import Path

from ollama_slots import render

LIBRARIES = {
    "await": "ask",
    "details": "ask engine store",
    "fetch": "ask engine store moves bases unfinished pulling",
    "install": "",
    "probe": "ask store settings",
    "pull": "ask engine store moves bases unfinished pulling",
    "remove": "ask engine store moves bases unfinished",
    "rotate": "ask engine store moves",
    "speed": "ask engine",
    "stored": "ask engine store unfinished",
    "warm": "ask engine store moves",
}
PULL = "stall_seconds total_seconds lock_seconds ours damaged"
ORDER = {
    "await": "url seconds",
    "details": "url doubted",
    "fetch": f"url model path mirror repository tag {PULL}",
    "pull": f"url model insecure {PULL}",
    "probe": "url tools",
    "remove": "url lock_seconds unloaded interrupted forgotten discarded",
    "rotate": "url keep_alive load_seconds lock_seconds name modelfile state weights context known"
    " gpu make_room unload_old alone",
    "speed": "url seconds",
    "warm": "url keep_alive load_seconds lock_seconds restarted",
}
PATHS = re.compile(
    r"(?<![\w.$}/*~-])/(?=(?:proc|run|etc|dev/kfd|var/lib/ollama-slots|usr/local/lib/ollama-slots)(?:/|\b))"
)


def rooted(text: str, root: Path) -> str:
    """A script's text with all its paths below a directory."""
    return PATHS.sub(f"{root}/", text)


def text(name: str, root: Path) -> str:
    """A script with the libraries that it needs."""
    return rooted(render.host_script(*LIBRARIES[name].split(), name), root)


def script(which: str, root: Path, /, *listed: str, stdin: str = "", **arguments: str | int) -> list[str]:
    """The words of a command that runs a script.

    + stdin: what it gets there: a Modelfile
    """
    if which == "rotate":
        arguments["modelfile"] = stdin
    order = ORDER.get(which, "").split()
    assert set(arguments) <= set(order), set(arguments) - set(order)
    return ["sh", "-c", text(which, root), "ollama-slots", *(str(arguments.get(it, "")) for it in order), *listed]
