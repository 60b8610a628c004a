"""Check that Ollama can be managed where it runs: on the host itself, with models that root sees, too."""

from __future__ import annotations

import re
from typing import NamedTuple

from ollama_slots.core import versions
from ollama_slots.core.differences import Difference
from ollama_slots.core.observed import Models, Observed
from ollama_slots.core.settings import Settings

# As systemd shows what ExecStart= runs; by itself, or in a line of a shell or env, with options before the verb.
STARTS_CONTAINERS = re.compile(
    r"\{ path=(\S*/(?:(?:docker|podman)(?:-compose)?|nerdctl|ctr|lxc-start)) ;"
    r"|(?:^|[\s/'\";&])((?:docker|podman)(?:-compose)?|nerdctl)"
    r" +(?:-\S+ +(?:[^\s;&|-][^\s;&|]* +)?)*?(run|start|exec|compose|container|up)(?![\w.-])"
)


class Trouble(NamedTuple):
    """Why nothing can be done on a host as it is, and what to do."""

    difference: Difference
    do: str

    def __str__(self) -> str:
        return f"{self.difference}: {self.do}, then deploy again; nothing was changed"


def contained(observed: Observed) -> list[Trouble]:
    """Return that Ollama runs in a container, if it does: its files and processes are not the host's."""
    starts = STARTS_CONTAINERS.search(observed.service.get("ExecStart", ""))
    program = observed.container or (starts and (starts[1] or f"{starts[2]} {starts[3]}"))
    if program is None:
        return []
    other = "another root than the host's" if program.rpartition("/")[2] == "ollama" else program
    found = Difference(
        "Ollama", "that it runs on the host itself", f"it in a container ({observed.unit} has {other})"
    )
    return [Trouble(found, f"install Ollama on the host, so that {observed.unit} runs ollama serve")]


def troubles(settings: Settings, observed: Observed) -> list[Trouble]:
    """Return why the models of this host cannot be managed; nothing, where they can, or it is not known yet."""
    if it := contained(observed):
        return it
    store, listed = observed.store, observed.listed
    if store is None or listed is None:
        return []
    as_root = "that root reads and writes Ollama's models"
    if store.may == "nothing":
        return [_of(as_root, f"that it does not get to {_where(store)}", "let it (NFS: no_root_squash)")]
    if store.may != "write" and (settings.model_registry or versions.moves_files(observed.version)):
        do = "have it mounted read-write, and let root write (NFS: no_root_squash)"
        return [_of(as_root, f"that it cannot write to {_where(store)}", do)]
    lost = [it.name for key, it in listed.items() if key not in store.names]
    if lost and versions.known(observed.version):
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        wanted = f"what Ollama lists{observed.where} in {_where(store)}"
        return [_of(wanted, f"no {lost[0]}{more} there", "have Ollama and root see one directory")]
    if store.whole and not listed:
        wanted = f"that Ollama lists{observed.where} what is in {_where(store)}"
        return [_of(wanted, "that it lists nothing", "have it see that directory, and its user read it")]
    return []


def refusals(settings: Settings, observed: Observed) -> list[str]:
    """Return the same as lines: what was expected, what was found, what to do."""
    return [str(it) for it in troubles(settings, observed)]


def _of(wanted: str, found: str, do: str) -> Trouble:
    return Trouble(Difference("Ollama's models", wanted, found), do)


def _where(store: Models) -> str:
    return f"{store.models} (to root {store.path})"
