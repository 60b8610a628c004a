"""What is read of a host. Facts only: they change nothing, and what they cannot know is None."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError, PyinfraError

from ollama_slots import drift, found, plan, probe, stored
from ollama_slots.host import scripts
from ollama_slots.settings import Settings


class HostFound(FactBase[found.Found | None]):
    """All that a deploy asks of a host, in one command: units, environment, files, states, models, runners."""

    def command(self, settings: Settings) -> StringCommand:
        """The probe, for a host with these settings."""
        return scripts.probe(settings.ollama_url)

    def process(self, output: list[str]) -> found.Found:
        """The probe's output, read."""
        try:
            return probe.parse_probe(output)
        except (ValueError, KeyError) as error:
            raise FactProcessError(str(error)) from error


class HostStored(FactBase[stored.Stored | None]):
    """What every model of a host is made of, and what unfinished pulls left. Asked only when something may go."""

    def command(self) -> StringCommand:
        """All manifests, and the records of unfinished pulls."""
        return scripts.stored()

    def process(self, output: list[str]) -> stored.Stored:
        """The output, read."""
        try:
            return stored.parse_stored(output)
        except (ValueError, KeyError) as error:
            raise FactProcessError(str(error)) from error


class ModelDetails(FactBase[found.Details | None]):
    """What /api/show says of some models, and the GPU memory free. Asked only when something is to be done."""

    models: list[str]

    def command(self, url: str, models: list[str], doubted: tuple[str, ...] = ()) -> StringCommand:
        """One request for each of the models, all over one connection to Ollama at this address.

        + doubted: weights, by sha256, that are read and compared with their digest, which takes seconds a gigabyte
        """
        self.models = models
        return scripts.details(url, models, doubted)

    def process(self, output: list[str]) -> found.Details:
        """The answers, read."""
        try:
            return probe.parse_details(self.models, output)
        except (ValueError, KeyError) as error:
            raise FactProcessError(str(error)) from error


class SlotSpeeds(FactBase[dict[str, float | str] | None]):
    """Tokens per second by slot, as the engine counts them; text says why a slot did not answer."""

    def command(self, url: str, seconds: int) -> StringCommand:
        """One request for each slot that holds a model, to Ollama at this address, each with this bound."""
        return scripts.speed(url, seconds)

    def process(self, output: list[str]) -> dict[str, float | str]:
        """The answers, read."""
        return probe.parse_speeds(output)


class SlotStatus(FactBase[drift.Status | None]):
    """How a host's slots are, and all that is not as declared. Also by hand: ``pyinfra --json ... fact``.

    One command, and ModelDetails only where something may differ.
    """

    settings: Settings

    def command(self, settings: Settings | None = None) -> StringCommand:
        """The probe, for a host with these settings; None: with those of its data.

        Wrong data end the run with one line, as everywhere; pyinfra's ``fact`` would go on, and end with 0.
        """
        try:
            data = host.data.dict()  # type: ignore[no-untyped-call]
            self.settings = settings or Settings.of(host.name, data)
        except PyinfraError as error:
            raise SystemExit(f"{error}") from None
        return HostFound().command(self.settings)

    def process(self, output: list[str]) -> drift.Status:
        """The probe's output against what is declared."""
        seen, details = HostFound().process(output), None
        if seen.busy:
            raise FactProcessError(f"{seen.busy} is changing this host")
        if drift.unsure(self.settings, seen):
            models = plan.questions(self.settings, seen)
            details = host.get_fact(ModelDetails, url=seen.url, models=models)
            if details is None:
                raise FactProcessError("Ollama did not say what its models are made of")
            details = details.as_of(seen)
        return drift.status(self.settings, seen, details)
