"""What is written for a host, read as its reader there does."""

import re

from ollama_slots.core.observed import Observed
from ollama_slots.core.rendered import Files
from ollama_slots.core.settings import Settings, Slot
from ollama_slots.core.targets import Target
from ollama_slots.host import render, scripts
from tests.unit.world import URL


def warm_up_files(settings: Settings, needs_gpu: bool = False, url: str = URL, root: str = "") -> Files:
    """The warm-up's files, of a host whose slots must be in GPU memory or need not."""
    given = settings.model_copy(update={"require_gpu": needs_gpu})
    return render.warm_up(given, Observed(at=url), root)


def watch_files(settings: Settings, needs_gpu: bool = False, url: str = URL, root: str = "") -> Files:
    """The watch's files, of such a host."""
    given = settings.model_copy(update={"require_gpu": needs_gpu})
    return render.watch(given, Observed(at=url), root)


def assert_written_as_declared(taken: Settings) -> None:
    for slot in taken.slots:
        written = render.modelfile(Target(slot, "mistral:7b", slot.num_ctx))
        assert read_as_the_engine_does(written) == instructions(slot, "mistral:7b")
    # Nothing that systemd unquotes, or takes for another line.
    at = scripts.paths(unit=taken.ollama_unit)  # which may be another Ollama of the host
    _, *lines = render.service(taken).files[at["environment_file"]][1].splitlines()
    assert all(re.fullmatch(r"OLLAMA_[A-Z_]+=-?[0-9a-z]+", line) for line in lines)
    files = warm_up_files(taken, needs_gpu=True)
    _, unit = files[at["warm_up_unit"]]
    assert len(re.findall(r"^Timeout\w+=[0-9]{1,10}$", unit, re.MULTILINE)) == 2
    # Nothing that sh does.
    _, script = files[at["warm_up_script"]]
    assert re.search(r"^url=http://[A-Za-z0-9.:\[\]-]+\nkeep_alive='[-0-9a-z\"]+'\n", script, re.MULTILINE)


def instructions(slot: Slot, model: str) -> list[tuple[str, str]]:
    """What a slot's Modelfile is to say."""
    values = [
        (f"PARAMETER {name}", str(it).lower() if isinstance(it, bool) else str(it))
        for name, value in slot.parameters.items()
        for it in (value if isinstance(value, list) else [value])
    ]
    system = [("SYSTEM", slot.system)] if slot.system else []
    return [("FROM", model), ("PARAMETER num_ctx", str(slot.num_ctx)), *values, *system]


def read_as_the_engine_does(modelfile: str) -> list[tuple[str, str]]:
    """A Modelfile's instructions: a text goes from triple quote to triple quote, less what is not printable."""
    instruction = re.compile(r'(FROM|SYSTEM|PARAMETER [a-z_]+) (?:"""((?:(?!""").)*)"""|([^"\n]*))\n', re.DOTALL)
    read, place = [], modelfile.index("\n") + 1  # after the comment
    while place < len(modelfile):
        match = instruction.match(modelfile, place)
        assert match, modelfile[place:]
        text = match[3] if match[2] is None else match[2]
        read.append((match[1], "".join(it for it in text if it.isprintable() or it in "\t\r\n")))
        place = match.end()
    return read
