"""What is read of a host. Facts only: they change nothing, and what they cannot know is None."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError

from ollama_slots import found, probe, render
from ollama_slots.settings import Settings


def script(text: str, *arguments: str | int) -> StringCommand:
    """A command that runs a script's text with ``sh``; every argument is quoted."""
    return StringCommand(
        "sh", "-c", QuoteString(text), "ollama-slots", *(QuoteString(str(it)) for it in arguments)
    )


class HostFound(FactBase[found.Found | None]):
    """All that a deploy asks of a host, in one command: units, environment, files, states, models, runners."""

    def command(self, settings: Settings) -> StringCommand:
        """The probe, for a host with these settings."""
        files = (render.DROP_IN, render.WARM_UP_SCRIPT, render.WARM_UP_UNIT)
        return script(render.host_script("probe"), settings.ollama_url, settings.lock_seconds, *files)

    def process(self, output: list[str]) -> found.Found:
        """The probe's output, read."""
        try:
            return probe.parse_probe(output)
        except (ValueError, KeyError) as error:
            raise FactProcessError(str(error)) from error


class ModelDetails(FactBase[found.Details | None]):
    """What /api/show says of some models, and the GPU memory free. Asked only when something is to be done."""

    models: list[str]

    def command(self, settings: Settings, models: list[str]) -> StringCommand:
        """One request for each of the models, all over one connection."""
        self.models = models
        return script(render.host_script("details"), settings.ollama_url, *models)

    def process(self, output: list[str]) -> found.Details:
        """The answers, read."""
        try:
            return probe.parse_details(self.models, output)
        except (ValueError, KeyError) as error:
            raise FactProcessError(str(error)) from error
