import pytest
from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.names import GRAMMAR, Name, parse, same, spellings

LONGEST_HOST, LONGEST_PART = "h" * 350, "p" * 80


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("mistral", ("registry.ollama.ai", "library", "mistral", "latest")),
        ("mistral:7b", ("registry.ollama.ai", "library", "mistral", "7b")),
        ("me/mistral", ("registry.ollama.ai", "me", "mistral", "latest")),
        ("hub.example.com/me/mistral:7b", ("hub.example.com", "me", "mistral", "7b")),
        ("localhost:5000/me/mistral", ("localhost:5000", "me", "mistral", "latest")),
        ("Mixed/Case:Q4_K_M", ("registry.ollama.ai", "Mixed", "Case", "Q4_K_M")),
        ("_a/_b:_c", ("registry.ollama.ai", "_a", "_b", "_c")),
        ("a..b-:1--", ("registry.ollama.ai", "library", "a..b-", "1--")),
        (f"{LONGEST_HOST}/{LONGEST_PART}/{LONGEST_PART}:{LONGEST_PART}", (LONGEST_HOST, *[LONGEST_PART] * 3)),
    ],
)
def test_a_name_has_four_parts_and_defaults(text: str, parts: tuple[str, str, str, str]) -> None:
    assert parse(text) == Name(*parts)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "model"),
        (":7b", "model"),
        ("x:", "tag"),
        ("/x", "namespace"),
        ("me/", "model"),
        ("//x", "host"),
        ("x" * 81, "model"),
        ("x" * 300, "model"),
        ("x:" + "t" * 81, "tag"),
        ("n" * 81 + "/x", "namespace"),
        ("h" * 351 + "/me/x", "host"),
        ("-x", "model"),
        (".x", "model"),
        ("x:-t", "tag"),
        ("-me/x", "namespace"),
        ("my.team/x", "namespace"),
        (".example.com/me/x", "host"),
        ("localhost:5000/x", "namespace"),  # a private host needs a namespace
        ("a/b/c/x", "host"),
        ("x:7b:8b", "model"),
        ("x;$(reboot)", "model"),
        ("x:`reboot`", "tag"),
        ("x y", "model"),
        (" x", "model"),
        ("x\n", "model"),
        ("x:7b\n", "tag"),
        ("x\0", "model"),
        ("modèle", "model"),
        ("x:\u0667b", "tag"),  # a digit to Unicode, not to the engine
        ("https://hub.example.com/me/x", "host"),
        ("x@sha256:" + "0" * 64, "model"),
        ("x:7b@sha256-00", "tag"),
    ],
)
def test_what_is_no_model_name_is_refused_in_one_line(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a model name") as refusal:
        parse(text)
    message = str(refusal.value)
    assert f"its {wrong} is wrong" in message
    assert GRAMMAR in message
    assert message.isprintable()
    assert len(message) < 250


@pytest.mark.parametrize("text", ["gpt-oss:cloud", "gpt-oss:120b-cloud", "me/x:CLOUD", "x:20B-Cloud"])
def test_a_cloud_model_is_refused_for_it_holds_no_gpu_memory(text: str) -> None:
    with pytest.raises(ValueError, match="cloud"):
        parse(text)


@pytest.mark.parametrize("text", ["x:local", "me/x:LOCAL"])
def test_the_tag_local_is_refused_for_the_engine_takes_it_off(text: str) -> None:
    """``x:local`` is ``x:latest`` to it (internal/modelref): what is pulled is never listed by this name."""
    with pytest.raises(ValueError, match="local"):
        parse(text)


@pytest.mark.parametrize("text", ["cloud", "cloud/cloud", "x:cloudy", "x-cloud:7b", "local"])
def test_cloud_elsewhere_than_at_the_end_of_the_tag_is_a_name_like_any_other(text: str) -> None:
    assert parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x", "x:latest"),
        ("x", "X:Latest"),
        ("x", "library/x"),
        ("x", "Registry.Ollama.AI/Library/x:LATEST"),
        ("Hub:5000/Me/X:7B", "hub:5000/me/x:7b"),
    ],
)
def test_names_that_mean_the_same_model(one: str, other: str) -> None:
    assert same(one, other)
    assert parse(one).key == parse(other).key


@pytest.mark.parametrize(("one", "other"), [("x:7b", "x"), ("me/x", "x"), ("hub/me/x", "me/x"), ("x", "y")])
def test_names_that_mean_different_models(one: str, other: str) -> None:
    assert not same(one, other)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("mistral", "mistral:latest"),
        ("library/mistral:7b", "mistral:7b"),
        ("REGISTRY.ollama.ai/LIBRARY/Mistral", "Mistral:latest"),
        ("registry.ollama.ai/me/x", "me/x:latest"),
        ("hub:5000/library/x", "hub:5000/library/x:latest"),
    ],
)
def test_short_is_the_name_as_the_engine_shows_it(text: str, short: str) -> None:
    assert parse(text).short == short


NAMES = st.from_regex(
    r"(([a-zA-Z0-9_][a-zA-Z0-9_.:-]{0,9}/)?[a-zA-Z0-9_][a-zA-Z0-9_-]{0,9}/)?"
    r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,9}(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,9})?",
    fullmatch=True,
).filter(lambda text: not text.lower().endswith(("cloud", "local")))


@given(NAMES)
def test_short_is_the_same_name_again(text: str) -> None:
    name = parse(text)
    assert same(name.short, text)
    assert parse(name.short).short == name.short
    assert name.short.rpartition("/")[2].count(":") == 1  # the tag is always there


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("qwen2.5-coder:14b", "library/qwen2.5-coder"),
        ("Me/Mistral:Q4", "me/mistral"),
        ("Registry.Ollama.AI/Library/x", "library/x"),
        ("Hub:5000/Me/X:7B", "hub:5000/me/x"),
    ],
)
def test_a_mirror_has_it_under_its_own_registry_unless_that_is_ollamas(text: str, repository: str) -> None:
    assert parse(text).repository == repository


@given(NAMES, NAMES)
def test_two_models_of_a_mirror_are_at_one_place_only_if_they_are_the_same(one: str, other: str) -> None:
    places = [(it.repository, it.tag.lower()) for it in (parse(one), parse(other))]
    assert (places[0] == places[1]) is same(one, other)
    # What a path may be made of, and nothing that leads out of a tree.
    for place, _ in places:
        assert place == place.lower()
        assert 2 <= len(place.split("/")) <= 3
        assert not any(part.startswith((".", "-")) for part in place.split("/"))


def test_of_two_spellings_of_a_model_the_first_is_taken() -> None:
    assert list(spellings(["Me/X:Q4", "me/x:q4", "y", "Y:latest"]).values()) == ["Me/X:Q4", "y"]


def test_a_host_needs_a_namespace_after_it() -> None:
    with pytest.raises(
        ValueError, match=r"namespace is wrong.*: expected \[\[host/\]namespace/\]model\[:tag\] of"
    ):
        parse("localhost:5000/x")
