"""Model the files that a host is to have, as host/render.py fills them in from the templates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ollama_slots.core.targets import Target

Files = dict[str, tuple[str, str]]  # path to mode and text
Modelfile = Callable[[Target], str]  # a slot's target to its Modelfile's text


@dataclass(frozen=True)
class ServiceFiles:
    """The files of Ollama's unit that are ours.

    + drop_in, environment: the paths of both
    + outdated: the path of the drop-in that earlier versions wrote
    """

    files: Files
    drop_in: str
    environment: str
    outdated: str


@dataclass(frozen=True)
class Rendered:
    """All files of one host."""

    modelfile: Modelfile
    service: ServiceFiles
    warm_up: Files  # none where it is not known at which address Ollama is asked
    watch: Files  # likewise, and none where there is to be no watch
