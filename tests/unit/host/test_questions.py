"""host/questions.sh: what is asked arrives, what is answered comes back, and slots are as they were."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from ollama_slots.host import calls, output, questions, scripts
from ollama_slots.host.questions import BROKE, Reply, parse_questions
from tests.unit.declared import declared
from tests.unit.host.directory_host import DirectoryHost, Done
from tests.unit.host.slots import holds, rotate

SETTINGS = declared("a:1b", "b:1b")
HOSTILE = [
    "'\"\\ $(touch X) `id` %s \\n \\0 ! {{ .Prompt }}",
    "one\ntwo\r\n== end\nslots|== end\n0.1 0.2 200 0 end\n",
    "\0\x01\x1b[2J\x7f\u0085\u2028\u202e\ufeff é 模 \U0001f600",
    " resident",
    "-d @/etc/passwd",
    "",
]


def lines(*prompts: str) -> str:
    bodies = [{"model": "one:latest", "prompt": it, "stream": False} for it in prompts]
    return "".join(f"generate {json.dumps(it)}\n" for it in bodies)


def script(host: DirectoryHost, sent: str, seconds: int = 20) -> scripts.Script:
    variant = host.state("one").get("variant", "")
    asking = calls.Asking(sent, seconds, polite=False, turn=60)
    return calls.questions(SETTINGS, host.engine.url, "one", variant, True, asking)


def perform(host: DirectoryHost, sent: str, seconds: int = 20) -> Done:
    it = script(host, sent, seconds)
    return host.perform(scripts.command(it), it.stdin)


def ask(host: DirectoryHost, *prompts: str, seconds: int = 20) -> tuple[list[Reply], str]:
    done = perform(host, lines(*prompts), seconds)
    assert (done.code, done.err) == (0, "")
    return parse_questions(output.own(done.out.split("\n")))


def prompts_of(host: DirectoryHost, says: Callable[[str], str]) -> list[str]:
    """Has the engine answer prompts so; returns the list of those that come."""
    came: list[str] = []

    def said(asked: dict[str, Any]) -> dict[str, Any]:
        came.append(asked["prompt"])
        return {"response": says(asked["prompt"]), "done_reason": "stop"}

    host.engine.says = said
    return came


def picture(host: DirectoryHost) -> Any:
    """The runners, as /api/ps has them and as processes; and what was loaded and what went since."""
    runners = host.engine.runners
    processes = sorted((it.pid, it.seconds, it.context, it.num_gpu) for it in runners.all.values())
    return runners.ps(), processes, runners.loaded, runners.evicted, runners.unloaded, host.picture()


def text(reply: Reply) -> str:
    assert (reply.status, reply.failed) == (200, 0)
    assert 0 <= reply.first <= reply.total < 20
    return str(json.loads(reply.text)["response"])


@pytest.fixture
def slots(host: DirectoryHost) -> DirectoryHost:
    """A host whose slots one and two are resident."""
    holds(host, "one", "a:1b", 4096)
    holds(host, "two", "b:1b", 8192)
    return host


def test_hostile_texts_arrive_and_come_back_as_they_are(slots: DirectoryHost) -> None:
    before = picture(slots)
    came = prompts_of(slots, lambda prompt: prompt[::-1])
    asked = [*HOSTILE[:-1], "x"]
    replies, why = ask(slots, *asked)
    assert why == ""
    assert came == asked
    assert [text(it) for it in replies] == [it[::-1] for it in asked]
    assert not (slots.root / "X").exists()
    assert picture(slots) == before


def test_a_question_and_an_answer_of_a_megabyte_are_whole(slots: DirectoryHost) -> None:
    large = "模x'\n" * 200_000
    came = prompts_of(slots, lambda prompt: prompt)
    replies, why = ask(slots, "short", large, "short")
    assert why == ""
    assert came == ["short", large, "short"]
    assert [text(it) for it in replies] == came


def test_a_slot_that_is_not_resident_is_not_asked_for_that_would_load_it(slots: DirectoryHost) -> None:
    slots.engine.runners.evict(slots.engine.model("one:latest").weights)
    before = picture(slots)
    came = prompts_of(slots, str)
    assert ask(slots, "a", "b") == ([], "not in memory")
    assert came == []
    assert picture(slots) == before


def test_a_slot_that_is_evicted_meanwhile_is_not_asked_again(slots: DirectoryHost) -> None:
    weights = slots.engine.model("one:latest").weights

    def evicts(prompt: str) -> str:
        if prompt == "b":
            slots.engine.runners.evict(weights)
        return prompt

    came = prompts_of(slots, evicts)
    replies, why = ask(slots, "a", "b", "c")
    assert ([text(it) for it in replies], why) == (["a"], "not in memory")
    assert came == ["a", "b"]
    assert slots.engine.runners.loaded == []


def test_a_slot_that_is_rotated_meanwhile_is_not_asked_again(slots: DirectoryHost) -> None:
    state = slots.root / slots.paths["state_dir"].lstrip("/") / "one.slot"

    def rotates(prompt: str) -> str:
        if prompt == "b":
            state.write_text(state.read_text().replace("variant=", "variant=0"))
        return prompt

    prompts_of(slots, rotates)
    replies, why = ask(slots, "a", "b", "c")
    assert ([text(it) for it in replies], why) == (["a"], "its variant was replaced")


def test_a_slot_that_holds_another_variant_by_now_is_not_asked(slots: DirectoryHost) -> None:
    wanted = script(slots, lines("a"))
    assert rotate(slots, "one", "b:1b", alone="no", context=8192, unload_old="no").code == 0
    came = prompts_of(slots, str)
    done = slots.perform(scripts.command(wanted), wanted.stdin)
    assert parse_questions(output.own(done.out.split("\n"))) == ([], "its variant was replaced")
    assert came == []


def test_a_slot_that_is_not_there_is_not_asked(host: DirectoryHost) -> None:
    assert ask(host, "a")[0] == []
    assert "ask one:latest" not in host.asked()


def test_an_engine_that_says_nothing_costs_its_bound_and_no_more(slots: DirectoryHost) -> None:
    def late(prompt: str) -> str:
        if prompt == "late":
            time.sleep(5)
        return prompt

    prompts_of(slots, late)
    replies, why = ask(slots, "a", "late", "c", seconds=1)
    assert why == ""
    assert [it.failed for it in replies] == [0, 28, 0]
    assert replies[1].status == 0
    assert 0.9 <= replies[1].total < 5  # curl's own clock may say a little less than its bound
    slots.engine.silent.add("one:latest")
    replies, why = ask(slots, "a", "b")
    assert why == ""
    assert [(it.failed, it.status) for it in replies] == [(52, 0)] * 2


def test_an_error_of_the_engine_is_an_answer_to_read(slots: DirectoryHost) -> None:
    [reply, shown], why = parse_questions(
        output.own(perform(slots, 'chat {"model":"none:latest"}\nshow {"model":"one:latest"}\n').out.split("\n"))
    )
    assert why == ""
    assert (reply.status, json.loads(reply.text)) == (404, {"error": "model 'none:latest' not found"})
    assert json.loads(shown.text)["template"] == "{{ .Prompt }}"


def test_what_did_not_arrive_whole_is_not_asked(slots: DirectoryHost) -> None:
    came = prompts_of(slots, str)
    wanted = script(slots, lines("a", "b"))
    done = slots.perform(scripts.command(wanted), wanted.stdin[:-9])
    assert done.code == 1
    assert done.err == (
        "the questions did not arrive as they were sent, on the script's stdin (which _su_password takes)\n"
    )
    assert (done.out, came) == ("", [])


def test_it_ends_when_the_connection_breaks_and_answers_come_as_they_are_made(slots: DirectoryHost) -> None:
    came = prompts_of(slots, str)
    wanted = script(slots, lines(*map(str, range(50))))
    given = {key: f"{it}" for key, it in wanted.arguments.items()}
    process = slots.start("questions", stdin=wanted.stdin, **given)
    assert process.stdout
    line = process.stdout.readline()
    assert len(came) < 5
    assert line.endswith(" resident\n")
    process.stdout.close()
    process.wait(20)
    assert process.returncode != 0
    at_the_end = len(came)
    assert at_the_end < 10
    time.sleep(0.3)
    assert len(came) == at_the_end


def test_of_one_that_was_killed_there_is_what_came_whole(slots: DirectoryHost) -> None:
    def dies(prompt: str) -> str:
        if prompt == "c":
            os.killpg(slots.running, signal.SIGKILL)
        return prompt

    prompts_of(slots, dies)
    done = perform(slots, lines("a", "b", "c", "d"))
    assert done.code == -signal.SIGKILL
    replies, why = parse_questions(output.own(done.out.split("\n")))
    assert ([text(it) for it in replies], why) == (["a", "b"], BROKE)


def test_a_line_that_was_cut_anywhere_is_no_reply(slots: DirectoryHost) -> None:
    prompts_of(slots, lambda _: "resident\n0.1 0.2 200 0 end")
    whole = output.own(perform(slots, lines("a", "b")).out.split("\n"))
    [first, _], why = parse_questions(whole)
    assert why == ""
    for cut in range(len(whole[1])):
        assert parse_questions([whole[0], whole[1][:cut]]) == ([first], BROKE)
    assert parse_questions([*whole[:2]])[1] == BROKE
    for odd in ("", "x", "é resident", "QQ resident", f"{whole[0]}x"):
        assert parse_questions([odd, *whole]) == ([], BROKE)
        assert parse_questions([whole[0], odd, *whole[1:]]) == ([first], BROKE)
        assert parse_questions([odd, "== not in memory"]) == ([], "not in memory")
    assert parse_questions([]) == ([], BROKE)
    assert questions.RESIDENT.fullmatch(whole[0].partition(" ")[2])
