from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError

from ollama_slots.core.targets import Target
from ollama_slots.host import render
from tests.unit.complaint import complaint
from tests.unit.declared import declared


def modelfile(**data: Any) -> str:
    """The Modelfile of a slot with this data, as it goes to a host."""
    slot = declared("hub:5000/me/x:7b", **data).slots[0]
    assert slot.model
    return render.modelfile(Target(slot, slot.model, num_ctx=8192))


def instructions(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_slot_without_more_is_its_base_and_its_window() -> None:
    text = modelfile()
    assert instructions(text) == ["FROM hub:5000/me/x:7b", "PARAMETER num_ctx 8192"]
    assert text.startswith("# ")  # says who made it
    assert text.endswith("\n")


def test_the_window_is_the_targets_and_not_the_slots_own() -> None:
    assert "PARAMETER num_ctx 8192" in modelfile(slot1_num_ctx=4096)


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (True, ["PARAMETER p true"]),
        (False, ["PARAMETER p false"]),
        (0, ["PARAMETER p 0"]),
        (-7, ["PARAMETER p -7"]),
        (0.2, ["PARAMETER p 0.2"]),
        (1e-07, ["PARAMETER p 1e-07"]),
        ("</s>", ['PARAMETER p """</s>"""']),
        ("two words", ['PARAMETER p """two words"""']),
        ("", ['PARAMETER p """"""']),
        (["<|end|>", "User:"], ['PARAMETER p """<|end|>"""', 'PARAMETER p """User:"""']),
        ([], []),
    ],
)
def test_a_parameter_is_written_as_the_engine_reads_it(value: Any, lines: list[str]) -> None:
    assert instructions(modelfile(slot1_parameters={"p": value}))[2:] == lines


def test_a_system_prompt_stands_between_triple_quotes() -> None:
    text = 'You write "Python".\n# No Perl.'
    assert f'SYSTEM """{text}"""\n' in modelfile(slot1_system=text)


def test_jinja_in_a_value_is_text() -> None:
    assert "{{ slot.name }}" in modelfile(slot1_system="{{ slot.name }}")


@pytest.mark.parametrize("text", ['"""', 'a"""b', 'ends with "', '"', "\0"])
@pytest.mark.parametrize("key", ["slot1_system", "slot1_parameters"])
def test_text_that_a_modelfile_cannot_hold_is_refused(key: str, text: str) -> None:
    with pytest.raises(PyinfraError, match=f"^gpu-a: {key}.*a Modelfile cannot hold text") as refusal:
        modelfile(**{key: text if key == "slot1_system" else {"stop": [text]}})
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("text", ["no-break\u00a0space", "joined\u200demoji", "\x1b[0m", "a\vb", "\u2028"])
def test_text_that_the_engine_would_silently_drop_is_refused(text: str) -> None:
    """Its parser leaves out what Go's strconv.IsPrint denies, but for space, tab, CR and LF (v0.32.15, tried)."""
    with pytest.raises(PyinfraError, match=r"^gpu-a: slot1_system"):
        modelfile(slot1_system=text)


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A template of the user's, beside those of the project."""
    (tmp_path / "templates").symlink_to(Path("templates").absolute())
    monkeypatch.chdir(tmp_path)
    return Path("Mine.j2")


OWN = "FROM {{ model }}\nPARAMETER num_ctx {{ num_ctx }}\n"


def refused(template: Path, text: str, **data: Any) -> str:
    """What a template is refused with, before any host is touched."""
    template.write_text(text)
    said = complaint(lambda: declared("hub:5000/me/x:7b", slot1_modelfile="Mine.j2", **data))
    assert said == "" or (said.startswith("gpu-a: slot1_modelfile: ") and said.isprintable())
    return said.removeprefix("gpu-a: slot1_modelfile: ")


@pytest.mark.parametrize(
    "text",
    [
        "TEMPLATE {{ .Prompt }}",
        'TEMPLATE """{{- if .System }}{{ .System }}{{ end }}"""',
        'TEMPLATE """{{ range $i, $_ := .Messages }}{{ end }}"""',
        'TEMPLATE """{{/* of mine */}}"""',
        "TEMPLATE {{ end }}",
    ],
)
def test_braces_of_go_get_a_hint(template: Path, text: str) -> None:
    said = refused(template, OWN + text)
    assert said.endswith(
        "; braces that are Ollama's own, as in TEMPLATE, belong between {% raw %} and {% endraw %}"
    )
    assert refused(template, f"{OWN}{{% raw %}}{text}{{% endraw %}}") == ""


def test_another_fault_gets_no_hint(template: Path) -> None:
    assert "raw" not in refused(template, OWN + "{{ slot.modle }}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM mistral:7b\n{}", "{{ model }}, which is hub:5000/me/x:7b here, found FROM 'mistral:7b'"),
        ("FROM /models/x.gguf\n{}", "found FROM '/models/x.gguf'"),
        ("from y\n{}", "found FROM 'y'"),
        ("# FROM {{{{ model }}}}\n{}", "expected one FROM, {{ model }}, found none"),
        ('SYSTEM """\nFROM {{{{ model }}}}\n"""\n{}', "expected one FROM, {{ model }}, found none"),
        ("FROM {{{{ model }}}}\nFROM ./mmproj.gguf\n{}", "found 'hub:5000/me/x:7b' and './mmproj.gguf'"),
        ('FROM {{{{ model }}}}\nMESSAGE user say """\nFROM y\n{}', "found 'hub:5000/me/x:7b' and 'y'"),
        ("FROM {{{{ model }}}}\n", "expected PARAMETER num_ctx {{ num_ctx }}, which is 4096 here, found none"),
        ("FROM {{{{ model }}}}\nPARAMETER num_ctx 512\n", "found '512'"),
        ("FROM {{{{ model }}}}\nPARAMETER num_ctx 512\n{}", "found '512' and '4096'"),
        ("FROM {{{{ model }}}}\n{}ADAPTER ./lora.gguf\n", "expected ADAPTER with the path of a file"),
    ],
)
def test_a_template_that_makes_another_slot_is_refused_with_the_data(template: Path, text: str, said: str) -> None:
    assert said in refused(template, text.format("PARAMETER num_ctx {{ num_ctx }}\n"))


@pytest.mark.parametrize(
    "text",
    [
        "FROM {{ model }}\nPARAMETER num_ctx 4096",
        "from HUB:5000/me/X:7B\r\nparameter num_ctx {{ num_ctx }}\r\n",
        "  FROM  {{ model }} \n\tPARAMETER\tnum_ctx\t{{ num_ctx }} \nADAPTER /models/lora.gguf\n",
        'FROM "{{ model }}"\nPARAMETER num_ctx """{{ num_ctx }}"""\nSYSTEM """a\nFROM y\nPARAMETER num_ctx 1"""\n',
        OWN + 'LICENSE "MIT\nFROM y\n"\nMESSAGE user FROM z\n',
        OWN + 'MESSAGE user """Tell me\nfrom where you are."""\nmessage  assistant  "Tell\nFROM y"\n',
        OWN + 'SYSTEM """never closed\nFROM y',
    ],
)
def test_a_template_of_whatever_form_that_makes_the_slot_is_taken(template: Path, text: str) -> None:
    assert refused(template, text) == ""


@pytest.mark.parametrize("model", [None, "none"])
def test_the_from_of_a_slot_whose_model_is_not_in_the_data_is_checked_when_it_is_known(
    template: Path, model: str | None
) -> None:
    template.write_text("FROM y\nPARAMETER num_ctx {{ num_ctx }}\n")
    slot = declared("x", model, slot2_modelfile="Mine.j2").slots[1]
    assert "expected FROM {{ model }}, which is x here" in complaint(render.modelfile, Target(slot, "x", 4096))


def test_a_fixed_window_is_refused_where_slots_that_share_weights_get_a_larger_one(template: Path) -> None:
    assert refused(template, "FROM {{ model }}\nPARAMETER num_ctx 4096\n") == ""
    slot = declared("x", slot1_modelfile="Mine.j2").slots[0]
    said = complaint(render.modelfile, Target(slot, "x", 8192))
    assert said == "slot1_modelfile: expected PARAMETER num_ctx {{ num_ctx }}, which is 8192 here, found '4096'"


def test_a_template_of_ones_own(template: Path) -> None:
    template.write_text("FROM {{ model }}\nPARAMETER num_ctx {{ num_ctx }}\nTEMPLATE x{{ slot.number }}\n")
    assert modelfile(slot1_modelfile="Mine.j2") == "FROM hub:5000/me/x:7b\nPARAMETER num_ctx 8192\nTEMPLATE x1\n"


def test_a_template_may_be_given_by_its_whole_path(template: Path) -> None:
    template.write_text(OWN)
    assert modelfile(slot1_modelfile=str(template.absolute())).startswith("FROM hub:5000/me/x:7b\n")


def test_a_templates_path_may_lead_upwards_and_what_it_includes_begins_where_pyinfra_runs(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template.write_text('{% include "part.j2" %}')
    (template.parent / "below").mkdir()
    (template.parent / "below/part.j2").write_text(OWN)
    monkeypatch.chdir(template.absolute().parent / "below")
    for path in ("../Mine.j2", f"{Path.cwd()}/../Mine.j2"):
        assert modelfile(slot1_modelfile=path).startswith("FROM hub:5000/me/x:7b\n")


@pytest.mark.parametrize(
    "text",
    [
        "FROM {{ modle }}",
        "FROM {{ slot.modle }}",
        "FROM {{ model.x.y }}",
        "FROM {{ model",
        "{% for %}",
        "FROM {{ model | nofilter }}",
        "{% include 'gone.j2' %}",
        "FROM {{ model }}{{ 1 / 0 }}",
        "FROM {{ model + 1 }}",
        b"FROM {{ model }} \xe9",
    ],
)
def test_a_broken_template_is_refused_with_the_data(template: Path, text: str | bytes) -> None:
    """In an operation it would end in a traceback, and after the pulls."""
    template.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PyinfraError, match=r"^gpu-a: slot1_modelfile: Mine\.j2: ") as refusal:
        declared("x", slot1_modelfile="Mine.j2")
    assert str(refusal.value).isprintable()


def test_a_template_that_is_not_there_is_refused_with_the_data(template: Path) -> None:
    with pytest.raises(PyinfraError, match=r"^gpu-a: slot1_modelfile: .*found no file 'Mine\.j2'"):
        declared("x", slot1_modelfile=str(template))
