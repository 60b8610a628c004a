"""Slots on a directory that is a host, put there in no time, and the script that gives them another model."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ollama_slots.core import kinds
from ollama_slots.core.observed import SlotState
from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.fake_runners import BLOCKS
from tests.unit.host.fake_store import sha256 as hexadecimal


def weights(model: str) -> str:
    """The weights of a model that has its own."""
    return hexadecimal(f"weights\n{model}")


def modelfile(model: str, window: int = 4096, more: str = "") -> str:
    return f"# Of a test.\nFROM {model}\nPARAMETER num_ctx {window}\n{more}"


def pulled(host: DirectoryHost, *models: str, **shape: Any) -> None:
    """Bases are there, whoever pulled them."""
    for model in models:
        if model not in host.engine.registry:
            host.engine.publish(model, **shape)
        assert list(host.engine.pull(model))[-1] == {"status": "success"}
        host.engine.show(model)


def pulled_large(host: DirectoryHost, model: str) -> str:
    """One whose weights are larger than what the scripts read of a store for good measure; their digest."""
    host.engine.publish(model)
    content, licence = host.engine.registry[model]
    host.engine.registry[model] = content + b"\n" * 300_000, licence
    pulled(host, model)
    return host.engine.model(model).weights


def state_of(host: DirectoryHost, model: str, text: str, window: int = 4096) -> SlotState:
    """The state of a slot that is made of a model, but for the digests that come of it."""
    base = host.engine.model(model)
    return SlotState(
        model=model,
        modelfile=sha256(text.encode()).hexdigest(),
        base=base.digest,
        weights=base.weights,
        context=window,
        asks="embed" if host.engine.shape(base).embeds else "",
        gpu=""
        if kinds.wholly_in_gpu(kinds.of_runner(text).get("num_gpu"), base.params.get("num_gpu"), BLOCKS)
        else "no",
    )


def holds(
    host: DirectoryHost, name: str, model: str, window: int = 4096, loaded: bool = True, more: str = ""
) -> None:
    """A slot holds a model, as a rotation leaves it; what it held is what it had before."""
    if host.engine.files.read(model) is None:
        pulled(host, model)
    if host.digest(f"{name}:latest"):
        host.engine.copy(f"{name}:latest", f"{name}:previous")
    text = modelfile(model, window, more)
    host.engine.create(f"{name}:current", text)
    host.engine.copy(f"{name}:current", f"{name}:latest")
    variant = host.digest(f"{name}:latest")
    states, modelfiles = (host.root / host.paths[it].lstrip("/") for it in ("state_dir", "modelfiles"))
    for directory in (states / "previous", modelfiles / "previous"):
        directory.mkdir(parents=True, exist_ok=True)
    for directory, suffix in ((states, "slot"), (modelfiles, "Modelfile")):
        if (file := directory / f"{name}.{suffix}").exists():
            file.rename(directory / "previous" / file.name)
    lines = state_of(host, model, text, window).lines()
    (states / f"{name}.slot").write_text(
        f"{lines}\nvariant={variant}\nloaded={variant}\nmade={host.engine.files.now}\n"
    )
    (modelfiles / f"{name}.Modelfile").write_text(text)
    if loaded:
        embeds = host.engine.shape(host.engine.model(model)).embeds
        (host.engine.embed if embeds else host.engine.generate)({"model": f"{name}:latest"})
    host.asked()
    host.engine.runners.loaded.clear()


def rotation(host: DirectoryHost, name: str, model: str, window: int = 4096, more: str = "") -> dict[str, Any]:
    """What host/rotate.sh is given where a slot is to have another model, alone with its weights."""
    text = modelfile(model, window, more)
    state = state_of(host, model, text, window)
    return {
        "url": host.engine.url,
        "keep_alive": -1,
        "load_seconds": 2,
        "lock_seconds": 1,
        "slot": name,
        "rolls_back": "no",
        "state": state.lines(),
        "weights": state.weights,
        "context": window,
        "known": "",
        "gpu": "no" if state.gpu else "yes",
        "make_room": "no",
        "unload_old": "yes",
        "alone": "yes",
        "bytes": len(f"{text}\n".encode()),
        "stdin": f"{text}\n",
    }


def rotate(host: DirectoryHost, name: str, model: str, window: int = 4096, more: str = "", **other: Any) -> Done:
    """Runs it, some of what it is given otherwise."""
    return host.run("rotate", **rotation(host, name, model, window, more) | other)


def memory(host: DirectoryHost) -> set[str]:
    """The weights that are in memory; a runner that is just going goes first."""
    with host.engine.runners.lock:
        return set(host.engine.runners.all)


def names(host: DirectoryHost, name: str) -> dict[str, str]:
    """The weights that a slot's names mean, by tag."""
    models = {tag: host.engine.files.model(f"{name}:{tag}") for tag in ("latest", "current", "previous")}
    return {tag: it.weights for tag, it in models.items() if it}
