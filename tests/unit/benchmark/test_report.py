"""The report: one page, and the same as Markdown. All is in it, and what others wrote means nothing in it."""

import itertools
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.benchmark.choice.decide import Decision, decide
from ollama_slots.benchmark.choice.evidence import Wealth
from ollama_slots.benchmark.choice.measured import Measured
from ollama_slots.benchmark.choice.state import State
from ollama_slots.benchmark.report import Beside, Memory, Question, foreign, markdown, page
from ollama_slots.benchmark.report.rows import TO
from tests.unit.benchmark.measured import WHEN, decided, fit_all, model, run
from tests.unit.benchmark.reported import Page, everything, questions, tables, weekly

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=y>\"'>&lt;|a|b|\n\n# head\n```\n~~~\n---\n* _x_ **y** "
    "[a](javascript:b) ![i](//e.example/x)\x1b[31m\u202e\ud800\r\n</pre></style>]]>{{ 7 * 7 }}{% if %} "
    "https://e.example "
)
PARTS = {
    "The answer": [
        "coder:14b",
        "changes, was third:16b",
        "better than third:16b beyond doubt",
        "better:30b (0.719)",
    ],
    "Quality and speed": ["95% (92", "72.0 (71.3", "7.0 GB", "not compared"],
    "What decides": ["0.45 at the most", "below the floor", "largest difference"],
    "Families of": ["predict", "retrieval"],
    "Speed and memory": [
        "312 (309",
        "slot 1: coder:14b 15.0 GB",
        "of the 48.0 GB",
        "slot 4: small:1b",
    ],
    "Since the last run": ["Evidence against", "of 120", "2026-11-26"],
    "Where models differ": ["did not pass", "an answer of better:30b", "What is trivial/", "answers-WEIGHTS-"],
    "What is not in it": [
        "huge:70b",
        "does not fit",
        "not for slot",
        "answered",
        "0.34.4",
        "202649",
        "talker:8b-instruct",
    ],
}


@pytest.fixture(scope="module")
def both() -> tuple[str, str]:
    """The page and the Markdown of a run that has everything."""
    return page(*everything()), markdown(*everything())


def parts(text: str, heads: str) -> dict[str, str]:
    """The text of each part, by its head."""
    pieces = re.split(heads, text)[1:]
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


@pytest.mark.parametrize("head", PARTS)
def test_each_part_is_there_and_says_what_it_is_for(both: tuple[str, str], head: str) -> None:
    html = parts(both[0], r"<h2[^>]*>([^<]*)</h2>")
    text = parts(both[1], r"(?m)^## (.*)$")
    assert len(html) == len(text) == len(PARTS)
    for of in (html, text):
        part = next(it for name, it in of.items() if name.startswith(head))
        shown = Page(part).text if of is html else part
        said = " ".join(shown.replace(r"\|", "|").split())
        missing = [
            it for it in PARTS[head] if it not in said.replace("changes was", "changes, was").replace("The l", "l")
        ]
        assert not missing, said[:3000]


def test_both_say_the_same_figures(both: tuple[str, str]) -> None:
    """What has an interval in one has it in the other."""
    spoken = Page(both[0]).text
    figures = set(re.findall(r"[0-9.]+%? \([0-9.]+\N{EN DASH}[0-9.]+\)", both[1]))
    assert len(figures) > 40
    in_cells = {it for it in figures if it.endswith(")") and "%" in it}
    assert {it for it in figures - in_cells if it not in spoken} == set()


def test_the_same_input_gives_the_same_bytes_whatever_the_hashes(both: tuple[str, str]) -> None:
    assert (page(*everything()), markdown(*everything())) == both
    code = (
        "from tests.unit.benchmark.reported import *; from ollama_slots.benchmark.report import page, markdown; "
    )
    code += "import sys; sys.stdout.buffer.write((page(*everything()) + markdown(*everything())).encode())"
    root = Path(__file__).parents[3]
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, check=True
        )
        assert done.stdout.decode() == "".join(both)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(both: tuple[str, str]) -> None:
    html = Page(both[0])
    assert not html.wrong
    names = {name for name, _ in html.elements}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert not [it for it in html.all("href") if not it.startswith("#")]
    assert not [
        it for _, of in html.elements for it in of if it in {"src", "srcset", "action"} or it.startswith("on")
    ]
    assert not re.search(r"https?:|url\(|@import|//", both[0])
    policy = {"http-equiv": "Content-Security-Policy", "content": "default-src 'none'; style-src 'unsafe-inline'"}
    assert ("meta", policy) in html.elements


def test_the_page_can_be_read_by_everybody(both: tuple[str, str]) -> None:
    html = Page(both[0])
    assert ("html", {"lang": "en"}) in html.elements
    assert re.search("<title>[^<]*2026-11-26[^<]*</title>", both[0])
    levels = [int(name[1]) for name, _ in html.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = html.all("id")
    assert len(ids) == len(set(ids))
    assert {*html.all("aria-labelledby"), *(it[1:] for it in html.all("href"))} <= set(ids)
    pictures = [of for name, of in html.elements if name == "svg" or of.get("role") == "img"]
    assert len(pictures) > 10
    assert all(of.get("aria-label") or of.get("aria-labelledby") for of in pictures)


def hostile(text: str = HOSTILE) -> tuple[Decision, Beside]:
    """All that is not a model's name by Ollama's grammar is the same text; of an earlier file, names are, too."""
    decision = decide(run(*models3(), basis=text), {1: "a:1b"}, State(), fit_all, text)
    decision = replace(decision, run=decision.run.model_copy(update={"failed": {text: text}}))
    gone = f"sha256:{'f' * 64}"
    held = decision.evidence.slots["slot1"]
    against = held.against | {gone: Wealth(since=text)}
    evidence = State(basis=text, slots={"slot1": held.model_copy(update={"against": against})})
    results = {text: {"weights": gone}, "a:1b": {"coding_composite": 0.1, "general_composite": 0.2}}
    before = json.dumps({"timestamp": text, "results": results})
    asked = [it._replace(prompt=text) for it in questions(decision, text)]
    return replace(decision, evidence=evidence), Beside(before, asked, Memory(1, {text: 1}), {text: text})


def models3() -> list[Measured]:
    return [model("a:1b"), model("b:1b", 0.7), model("c:1b", 0.5, 0.5)]


def test_what_others_wrote_is_only_text_on_the_page() -> None:
    plain, html = Page(page(*hostile("words"))), Page(page(*hostile()))
    assert html.elements[:40] != []
    assert [name for name, _ in html.elements] == [name for name, _ in plain.elements]
    assert [sorted(of) for _, of in html.elements] == [sorted(of) for _, of in plain.elements]
    assert not html.wrong
    assert "<script>alert(1)</script>" in html.text
    assert "\\u{1b}[31m\\u{202e}\\u{d800}" in html.text
    assert "{{ 7 * 7 }}" in html.text


def test_what_others_wrote_is_only_text_in_markdown() -> None:
    text = markdown(*hostile())
    assert [len(it) for it in tables(text)] == [len(it) for it in tables(markdown(*hostile("words")))]
    prose = re.sub(r"(?ms)^(`{3,})text\n.*?\n\1$", "", text)
    assert prose.count("alert") > 4
    assert not re.search(r"(?<!\\)<|(?<!\\)`|(?<!\\)!?\[|(?m:^#+ head)|(?<!\\)https?:|(?<!\\)\*\*y", prose)
    assert text.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text + page(*hostile()))


def test_tables_of_markdown_have_as_many_cells_in_each_row(both: tuple[str, str]) -> None:
    for text in (both[1], markdown(*hostile()), markdown(decided(*models3()))):
        found = tables(text)
        assert len(found) > 8
        for table in found:
            assert {len(row) for row in table} == {len(table[0])}, table
            assert all(re.fullmatch("-+:?", it) for it in table[1])
        assert "\n\n\n" not in text


def test_long_answers_are_cut() -> None:
    decision = weekly()
    asked = [
        Question(it.id, "x" * 10**5, dict.fromkeys(it.answers, "\n" * 9 + "a\r\n" * 10**5))
        for it in questions(decision)
    ]
    made = page(decision, Beside(questions=asked))
    assert len(made) < 200_000
    assert "99,300 more characters" in made
    assert "199,952 more characters" in made
    assert len(markdown(decision, Beside(questions=asked))) < 200_000


@pytest.mark.parametrize("text", ["", "\n", "```", "x\n````text\ny", "~~~\n`"])
def test_a_block_of_markdown_cannot_be_ended_from_within(text: str) -> None:
    fence, *within, end = foreign.fenced(text).split("\n")
    assert fence == end + "text"
    assert end not in "\n".join(within)


@given(st.text())
def test_a_line_is_one_line_in_which_nothing_has_a_meaning(text: str) -> None:
    made = foreign.line(text)
    assert not re.search(r"[\n\r]|(?<!\\)(?:\\\\)*[|`<>&*\[\]]", re.sub(r"\\[|`<>&*\[\]]", "", made))
    assert made.encode() or not text


def test_a_first_run_without_anything_beside_says_what_is_not_there() -> None:
    decision = replace(decided(*models3()), when=WHEN)
    for text in (Page(page(decision)).text, markdown(decision)):
        assert "first choice" in text
        assert "There is no earlier run to compare with." in text
        assert "No model had a slot and was measured" in text
        assert "The answers are not at hand here." in text
        assert "what the hosts have is not known here" in text
        assert text.count("None.") == 2
    assert not Page(page(decision)).wrong
    assert 'class="badge changes"' not in page(decision)


def test_an_incumbent_that_failed_is_told() -> None:
    failed = {"gone:7b": "it does not load"}
    decision = decide(run(*models3(), failed=failed), {1: "gone:7b"}, State(), fit_all, WHEN)
    for text in (Page(page(decision)).text, markdown(decision)):
        assert "was gone:7b" in text
        assert "gone:7b had the slot and was not measured, it does not load" in text


def test_a_slot_keeps_its_name_and_the_page_says_whose_weights_it_has() -> None:
    twin = model("a:1b-instruct", weights="a:1b", alike="a:1b")
    decision = decided(*models3(), twin, had={1: "a:1b-instruct"})
    assert "Its weights are those of a:1b," in Page(page(decision)).text
    assert "**a:1b-instruct**, the weights of a:1b |" in markdown(decision)


def test_speed_behind_long_prompts_is_told_beside_that_behind_short_ones(both: tuple[str, str]) -> None:
    html, text = both
    told = f"| coder:14b | 1 | 24,576 | 49.0 (48.5{TO}49.5) | 70% | 24,576 ("
    assert told in text, [it for it in text.splitlines() if "24,576" in it]
    assert "Behind long prompts" in html
    alone = markdown(decided(*models3()))
    assert "Behind long prompts" not in alone


def test_a_family_that_nobody_was_asked_is_told() -> None:
    models = [
        it.model_copy(update={"answers": {k: v for k, v in it.answers.items() if k != "write"}})
        for it in models3()
    ]
    for text in (Page(page(decided(*models))).text, markdown(decided(*models))):
        assert "No model answered an item of write." in text
