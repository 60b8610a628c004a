"""Two runs in one process, as pyinfra's API makes them, know nothing of each other."""

import pytest

from ollama_slots.operations.warm_up import warm_up
from ollama_slots.registry.client import Client
from ollama_slots.run import session
from tests.unit.deploys import AB, ALL, run
from tests.unit.fake import Run, answers
from tests.unit.world import World


def test_what_one_run_reported_once_the_next_reports_again(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for times in (1, 2):
        del ready.runners[ready.tags["b:1b"].weights]
        run(ready, warm_up)
        assert caplog.text.count("warm up again: slot two: not in memory") == times


def test_what_one_run_asked_a_registry_the_next_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[Client] = []
    ask = Client.ask

    def asked(client: Client, *question: object, **more: object) -> object:
        clients.append(client)
        return ask(client, *question, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "ask", asked)
    for world in (World(), World()):
        Run(ALL, AB, gpu=answers(world, AB))
    assert len(set(map(id, clients))) == 2


def test_what_one_run_keeps_is_not_the_nexts(ready: World) -> None:
    first, second = run(ready, *ALL), run(ready, *ALL)
    assert session.run(first.state) is not session.run(second.state)
    assert session.run(first.state).ended == {}
