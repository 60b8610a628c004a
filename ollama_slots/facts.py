"""Read a host. Facts change nothing, and answer None for what they cannot know."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pyinfra import host
from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError, PyinfraError

from ollama_slots.core import plan, status
from ollama_slots.core.details import Details
from ollama_slots.core.observed import Observed
from ollama_slots.core.settings import Settings
from ollama_slots.core.snapshot import Snapshot
from ollama_slots.core.stored import Stored
from ollama_slots.host import calls, render, scripts
from ollama_slots.host.desired import settings_of, with_defaults
from ollama_slots.host.details import parse_details
from ollama_slots.host.output import own
from ollama_slots.host.probe import parse_probe
from ollama_slots.host.speed import parse_speeds
from ollama_slots.host.stored import parse_stored

Answer = TypeVar("Answer")


def _parsed(read: Callable[[list[str]], Answer], output: list[str]) -> Answer:
    """Read what a script printed. Raises FactProcessError with one line, whatever came."""
    try:
        return read(own(output))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        reason = " ".join(f"{error}".split())
        missing = f"it has no {reason}" if isinstance(error, LookupError) else reason
        raise FactProcessError(f"what the host printed cannot be read: {missing:.200}") from None


class HostObserved(FactBase[Observed | None]):
    """Read all that a deploy needs in one command: units, environment, files, states, models, runners."""

    unit: str
    models: tuple[str, ...]

    def command(
        self, settings: Settings, shows: calls.Shows = "no", models: tuple[str, ...] = ()
    ) -> StringCommand:
        """Return the probe, for a host with these settings.

        + shows: whether it asks what these models are made of, too; new: where a declared slot is new
        """
        self.unit, self.models = settings.ollama_unit, models
        return scripts.command(calls.probe(settings, shows, models), unit=self.unit)

    def process(self, output: list[str]) -> Observed:
        """Parse the probe's output."""
        return observed(self.unit, self.models, output)


def observed(unit: str, models: tuple[str, ...], output: list[str]) -> Observed:
    """Read what the probe printed, among what else came. Raises FactProcessError with one line, whatever that is.

    + unit: of the Ollama in question
    + models: that it was asked about
    """
    return _parsed(lambda lines: parse_probe(lines, unit, models), output)


def left(unit: str, models: tuple[str, ...], output: list[str]) -> Observed | None:
    """Read how a command that was to change a host left it; None: it did nothing, for somebody had changed it."""
    if _parsed(lambda lines: lines == [scripts.CHANGED], output):
        return None
    return observed(unit, models, output)


class HostStored(FactBase[Stored | None]):
    """Read what every model is made of, and what unfinished pulls left. Used only by prune."""

    def command(self, unit: str) -> StringCommand:
        """Return the command that prints all manifests of a unit's Ollama, and the records of unfinished pulls."""
        return scripts.command(calls.stored(), unit=unit)

    def process(self, output: list[str]) -> Stored:
        """Parse the output."""
        return _parsed(parse_stored, output)


class ModelDetails(FactBase[Details | None]):
    """Read /api/show of some models, and the free GPU memory. Used only when something is to be done."""

    models: list[str]

    def command(self, unit: str, url: str, models: list[str], doubted: tuple[str, ...] = ()) -> StringCommand:
        """Return one request for each of the models, all over one connection to a unit's Ollama at this address.

        + doubted: weights, by sha256, that are read and compared with their digest, which takes seconds a gigabyte
        """
        self.models = models
        return scripts.command(calls.details(url, models, doubted), unit=unit)

    def process(self, output: list[str]) -> Details:
        """Parse the answers."""
        return _parsed(lambda lines: parse_details(self.models, lines), output)


class SlotSpeeds(FactBase[dict[str, float | str | None] | None]):
    """Measure tokens per second by slot, as Ollama counts them; text says why a slot did not answer.

    None: it answers with embeddings, which have no speed.
    """

    def command(self, unit: str, url: str, seconds: int) -> StringCommand:
        """Return one request for each slot of a unit's Ollama, at this address, each with this bound."""
        return scripts.command(calls.speed(url, seconds), unit=unit)

    def process(self, output: list[str]) -> dict[str, float | str | None]:
        """Parse the answers."""
        return _parsed(parse_speeds, output)


class SlotStatus(FactBase[status.Status | None]):
    """Read the status of a host: slots and drift. Also by hand: ``pyinfra --json ... fact``.

    One command, and ModelDetails only where something may differ.
    """

    settings: Settings
    observed: HostObserved

    def command(self, settings: Settings | None = None) -> StringCommand:
        """Return the probe, for a host with these settings; None: with those of its data.

        Wrong data end the run with one line, as everywhere; pyinfra's ``fact`` would go on, and end with 0.
        """
        try:
            data = host.data.dict()  # type: ignore[no-untyped-call]
            self.settings = settings or settings_of(host.name, with_defaults(data))
        except PyinfraError as error:
            raise SystemExit(f"{error}") from None
        self.observed = HostObserved()
        return self.observed.command(self.settings)

    def process(self, output: list[str]) -> status.Status:
        """Compare the probe's output with what is declared."""
        observed = self.observed.process(output)
        if observed.busy:
            raise FactProcessError(f"{observed.busy} is changing this host")
        snapshot, rendered = Snapshot(self.settings, observed), render.rendered(self.settings, observed)
        try:
            if status.unsure(snapshot, rendered.modelfile):
                models = plan.questions(self.settings, observed)
                details = host.get_fact(ModelDetails, unit=observed.unit, url=observed.url, models=models)
                if details is None:
                    raise FactProcessError("Ollama did not say what its models are made of")
                snapshot = snapshot.with_details(details)
            return status.status(snapshot, rendered)
        except ValueError as error:  # a template that does not take the window of slots that share weights
            raise FactProcessError(f"{error}") from None
