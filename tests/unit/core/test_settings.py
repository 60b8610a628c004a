import runpy
from typing import Any

import pytest
from pyinfra.api.arguments import all_argument_meta
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors import docker, ssh

from ollama_slots.core.settings import Settings
from ollama_slots.host.desired import settings_of

MINIMAL = {"slot1_name": "coding", "slot1_num_ctx": 4096}


def of(**data: Any) -> Settings:
    """Settings of one host with one slot, and these keys besides."""
    return settings_of("gpu-a", MINIMAL | data)


def refused(**data: Any) -> str:
    """The message that bad data ends in: a PyinfraError of one printable line that begins with the host."""
    with pytest.raises(PyinfraError) as refusal:
        of(**data)
    message = str(refusal.value)
    assert message.startswith("gpu-a: ")
    assert message.isprintable()
    assert len(message) < 400
    return message.removeprefix("gpu-a: ")


def test_the_defaults() -> None:
    settings = of()
    [slot] = settings.slots
    assert (slot.number, slot.name, slot.tagged, slot.num_ctx) == (1, "coding", "coding:latest", 4096)
    assert (slot.model, slot.system, slot.parameters) == (None, None, {})
    assert settings.keep_alive == -1
    assert settings.shared_base == "align"
    assert settings.require_gpu == "auto"
    assert settings.ollama_url is None
    assert settings.pull_insecure is False
    assert (settings.prune, settings.prune_previous) == (False, False)
    assert (settings.api_seconds, settings.load_seconds) == (120, 600)
    assert (settings.pull_seconds, settings.pull_stall_seconds) == (6 * 3600, 300)


def test_the_project_s_own_data_are_four_slots() -> None:
    values = runpy.run_path("group_data/all.py")
    settings = settings_of("gpu-a", {key: it for key, it in values.items() if not callable(it)})  # no imports
    assert [(slot.name, slot.num_ctx) for slot in settings.slots] == [
        ("coding-primary", 32768),
        ("general-primary", 16384),
        ("backup", 16384),
        ("experimental", 8192),
    ]
    assert settings.slots[3].model is None


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("mistral", "mistral:latest"),
        ("library/mistral:7b", "mistral:7b"),
        ("hub:5000/me/x", "hub:5000/me/x:latest"),
        ("none", "none"),
        ("None", "none"),
        (None, None),
    ],
)
def test_a_slots_model_becomes_canonical(given: str | None, canonical: str | None) -> None:
    assert of(slot1_model=given).slots[0].model == canonical


def test_a_fifth_slot_is_data() -> None:
    settings = of(slot5_name="fifth", slot5_num_ctx=2048, slot5_model="x", slot12_name="twelfth", slot12_num_ctx=1)
    assert [(slot.number, slot.name) for slot in settings.slots] == [(1, "coding"), (5, "fifth"), (12, "twelfth")]


def test_keys_that_are_not_ours_are_left_alone() -> None:
    assert of(ssh_user="x", _sudo=True, slo=1, my_slot1_model=object(), fake_responses={}) == of()


def test_room_is_for_every_slot_and_one_candidate_unless_it_is_given() -> None:
    assert of(slot2_name="b", slot2_num_ctx=1).loaded_models == 3
    assert of(max_loaded_models=7).loaded_models == 7


PARAMETERS: list[dict[str, Any]] = [  # that Ollama would refuse, or drop
    {"temprature": 0.2},
    {"num-thread": 4},
    {"top_k": 40.0},
    {"num_gpu": True},
    {"num_gpu": "all"},
    {"temperature": "warm"},
    {"temperature": False},
    {"use_mmap": 1.5},
    {"top_p": ["0.5"]},
    {"stop": []},
    {"stop": 7},
    {"mirostat": 2},
]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slot1_model", 7),
        ("slot1_model", ["mistral"]),
        ("slot1_model", ""),
        ("slot1_model", ";$(reboot)"),
        ("slot1_model", "x" * 300),
        ("slot1_model", "x\n"),
        ("slot1_model", "gpt-oss:120b-cloud"),
        ("slot1_name", None),
        ("slot1_name", 7),
        ("slot1_name", ""),
        ("slot1_name", "a:b"),
        ("slot1_name", "a/b"),
        ("slot1_name", "../a"),
        ("slot1_name", ".a"),
        ("slot1_name", "a b"),
        ("slot1_name", "a\n"),
        ("slot1_name", "$(reboot)"),
        ("slot1_name", "n" * 81),
        ("slot1_num_ctx", "4096"),
        ("slot1_num_ctx", 4096.0),
        ("slot1_num_ctx", True),
        ("slot1_num_ctx", None),
        ("slot1_num_ctx", 0),
        ("slot1_num_ctx", -1),
        ("slot1_num_ctx", 2**31 + 1),
        ("slot1_system", 7),
        ("slot1_system", 'say """'),
        ("slot1_system", 'say "hi"'),
        ("slot1_system", "a\0b"),
        ("slot1_parameters", "temperature=1"),
        ("slot1_parameters", ["temperature"]),
        ("slot1_parameters", {"num_ctx": 1}),
        ("slot1_parameters", {"Temperature": 1}),
        ("slot1_parameters", {"a b": 1}),
        ("slot1_parameters", {"a\nFROM x": 1}),
        ("slot1_parameters", {"": 1}),
        ("slot1_parameters", {7: 1}),
        ("slot1_parameters", {"stop": {"a": 1}}),
        ("slot1_parameters", {"stop": None}),
        ("slot1_parameters", {"stop": [1]}),
        ("slot1_parameters", {"stop": ['"""']}),
        ("slot1_parameters", {"stop": '"'}),
        ("slot1_parameters", {"temperature": float("nan")}),
        ("slot1_parameters", {"temperature": float("inf")}),
        ("slot1_parameters", {"seed": 2**63}),
        *[("slot1_parameters", it) for it in PARAMETERS],
        ("slot1_system", ""),
        ("keep_alive", 0),
        ("keep_alive", "0s"),
        ("keep_alive", "-0h0m"),
        ("slot1_modelfile", "templates/gone.j2"),
        ("slot1_modelfile", "templates"),
        ("slot1_modelfile", 7),
        ("slot1_modelfile", "a\nb"),
        ("slot1_modelfile", "a\0b"),
        ("slot1_modelfile", "x" * 300),
        ("shared_base", "aligned"),
        ("shared_base", True),
        ("require_gpu", "yes"),
        ("require_gpu", None),
        ("require_gpu", 1),
        ("model_registry", "mirror:5080"),
        ("model_registry", "ftp://mirror"),
        ("model_registry", "http://mirror:5080/"),
        ("model_registry", "http://mirror/v2"),
        ("model_registry", "http://mirror:65536"),
        ("model_registry", "http://me:secret@mirror"),
        ("model_registry", "http://mirror:5080\n"),
        ("model_registry", "http://$(reboot)"),
        ("model_registry", "http://10.0.0.[1-9]"),
        ("model_registry", ""),
        ("model_registry", True),
        ("pull_insecure", "true"),
        ("pull_insecure", 1),
        ("benchmark_window", ""),
        ("benchmark_window", "2-5"),
        ("benchmark_window", "02:00"),
        ("benchmark_window", "02:00-02:00"),
        ("benchmark_window", "02:00-24:00"),
        ("benchmark_window", "02:00-05:60"),
        ("benchmark_window", "02:00-05:00; reboot"),
        ("benchmark_window", "02:00-05:00\n"),
        ("benchmark_window", "\u0660\u0662:\u0660\u0660-05:00"),
        ("benchmark_window", ["02:00-05:00"]),
        ("benchmark_window", 2),
        ("keep_alive", "-1"),
        ("keep_alive", "1d"),
        ("keep_alive", "for ever"),
        ("keep_alive", "1h'; reboot"),
        ("keep_alive", "1h\n"),
        ("keep_alive", 10**9),
        ("keep_alive", "9999999h"),  # 1,141 years: more than the engine's durations hold
        ("keep_alive", "999999h999999h999999h"),
        ("keep_alive", 1.5),
        ("keep_alive", True),
        ("keep_alive", None),
        ("max_loaded_models", 0),
        ("max_loaded_models", 1001),
        ("max_loaded_models", "5"),
        ("gpu_memory_gib", 0),
        ("gpu_memory_gib", "24"),
        ("gpu_memory_gib", float("nan")),
        ("gpu_memory_gib", float("inf")),
        ("gpu_memory_gib", 1e308),  # in bytes it would be infinite
        ("disk_headroom_gib", -1),
        ("disk_headroom_gib", 1e308),
        ("prune", "yes"),
        ("prune", 1),
        ("prune_previous", None),
        ("ollama_url", "https://127.0.0.1:11434"),
        ("ollama_url", "http://127.0.0.1:11434/"),
        ("ollama_url", "http://127.0.0.1:11434\n"),
        ("ollama_url", "http://a b"),
        ("ollama_url", "http://$(reboot)"),
        ("ollama_url", "http://10.0.0.[1-9]"),  # to curl, nine addresses
        ("ollama_url", "http://[1-9]:11434"),
        ("ollama_url", "http://"),
        ("ollama_url", 11434),
        *[
            (key, value)
            for key in ("api_seconds", "load_seconds", "pull_seconds", "pull_stall_seconds")
            for value in (0, -1, "60", 1.5, None, True, 8 * 24 * 3600)
        ],
    ],
)
def test_a_bad_value_ends_in_one_line_that_names_host_and_key(key: str, value: Any) -> None:
    where = refused(**{key: value}).partition(":")[0]
    # Only a dict has keys of its own to name; how pydantic calls the members of a union is nobody's business.
    assert where.startswith(f"{key}.") if key == "slot1_parameters" and "." in where else where == key


@pytest.mark.parametrize("key", [key for key in Settings.model_fields if key != "slots"])
@pytest.mark.parametrize("depth", [900, 3000, 30_000])
def test_no_depth_of_nesting_is_a_traceback(key: str, depth: int) -> None:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    assert refused(**{key: value}).startswith(f"{key}: ")


@pytest.mark.parametrize("key", ["slot1_num_ctx", "keep_alive", "max_loaded_models", "api_seconds", "prune"])
def test_a_number_of_too_many_digits_to_be_shown_is_refused_like_any_other(key: str) -> None:
    assert refused(**{key: 10**5000}).startswith(f"{key}: ")


@pytest.mark.parametrize("url", ["http://[::1]:11434", "http://ollama.example.com", "http://10.0.0.1:80"])
def test_ollama_may_answer_elsewhere(url: str) -> None:
    assert of(ollama_url=url).ollama_url == url


@pytest.mark.parametrize(
    "url", [None, "http://mirror.example.com:5080", "https://mirror", "https://[fd00::1]:443"]
)
def test_models_may_come_from_a_mirror(url: str | None) -> None:
    assert of(model_registry=url).model_registry == url
    assert of(model_registry=url).registry == (f"the mirror {url}" if url else "its registry")


def test_an_address_that_is_none_is_told_without_a_regular_expression() -> None:
    expected = "expected http://HOST[:PORT]"
    found = "without path and slash, found 'http://gpu:80/': correct it"
    assert refused(ollama_url="http://gpu:80/") == f"ollama_url: {expected} {found}"
    assert refused(model_registry="http://gpu:80/") == f"model_registry: {expected} or https://HOST[:PORT] {found}"
    port = "expected a port of at most 65535, found 'http://[::1]:65536': correct it"
    assert refused(ollama_url="http://[::1]:65536") == f"ollama_url: {port}"
    assert of(ollama_url="http://[::1]:65535").ollama_url


@pytest.mark.parametrize("key", ["api_seconds", "load_seconds", "pull_seconds", "pull_stall_seconds"])
def test_a_bound_may_be_a_week(key: str) -> None:
    assert getattr(of(**{key: 7 * 24 * 3600}), key) == 7 * 24 * 3600


def test_a_lock_is_waited_for_longer_than_a_rotation_takes() -> None:
    """It makes, loads and asks, each within the bound of a load, and unloads within two minutes."""
    for seconds in (1, 600, 3600):
        assert of(load_seconds=seconds).lock_seconds > 3 * seconds + 2 * 120


@pytest.mark.parametrize("key", ["slot1_modle", "slot1_", "slot_model", "slots", "slot0_model", "slot1-model"])
def test_an_unknown_slot_key_is_a_misspelt_one(key: str) -> None:
    assert key in refused(**{key: "x"})


def test_an_unknown_slot_key_is_told_with_those_that_there_are() -> None:
    keys = "slotN_name, slotN_num_ctx, slotN_model, slotN_system, slotN_parameters, slotN_modelfile"
    assert refused(slot1_modle="x") == f"slot1_modle: expected one of {keys}, found no such key: correct it"
    assert refused(slot_model="x") == f"'slot_model': expected one of {keys}: correct it"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("slt1_num_ctx", "slot1_num_ctx"),
        ("solt1_model", "slot1_model"),
        ("SLOT12_MODEL", "slot12_model"),
        ("slt4_name", "slot4_name"),
        ("keepalive", "keep_alive"),
        ("keep-alive", "keep_alive"),
        ("Keep_Alive", "keep_alive"),
        ("rolback", "rollback"),
        ("rollbakc", "rollback"),
        ("purne", "prune"),
        ("prune_previos", "prune_previous"),
        ("gpu_memory_gb", "gpu_memory_gib"),
        ("ollama_ulr", "ollama_url"),
        ("model_registy", "model_registry"),
        ("pull_insecrue", "pull_insecure"),
        ("load_second", "load_seconds"),
        ("max_loaded_model", "max_loaded_models"),
        ("shared_bases", "shared_base"),
    ],
)
def test_a_key_that_is_nearly_one_of_ours_is_a_misspelt_one(key: str, meant: str) -> None:
    told = f"{key!r}: expected {meant}, or a key of your own that is less like it: correct it"
    assert refused(**{key: "x"}) == told


OWN = """app_port load_balancer model models registry memory_gib keep keep_alive_minutes my_slot1_model lot1 pull
pull_request gpu rolled_back prune_containers base seconds"""


@pytest.mark.parametrize("key", OWN.split())
def test_a_key_of_the_users_own_is_theirs(key: str) -> None:
    assert of(**{key: "x"}) == of()


@pytest.mark.parametrize("key", [1, None, 2.5, ("slot1_model",), b"slot1_modle"])
def test_a_key_that_is_no_text_is_theirs(key: Any) -> None:
    assert settings_of("gpu-a", MINIMAL | {key: 2}) == of()


def test_no_key_of_pyinfras_own_is_taken_for_a_misspelt_one() -> None:
    keys = [*ssh.ConnectorData.__annotations__, *docker.ConnectorData.__annotations__, *all_argument_meta]
    assert "ssh_config_file" in keys
    assert of(**dict.fromkeys(keys, "x")) == of()


@pytest.mark.parametrize("value", [7, 1, "1", "a\nb", None])
def test_a_slots_number_is_in_its_key_and_nowhere_else(value: Any) -> None:
    assert "slot1_number" in refused(slot1_number=value)


@pytest.mark.parametrize(
    ("data", "key"),
    [({"slot2_model": "x"}, "slot2_name"), ({"slot2_name": "b", "slot2_model": "x"}, "slot2_num_ctx")],
)
def test_half_a_slot_names_the_missing_key(data: dict[str, Any], key: str) -> None:
    assert refused(**data).startswith(key)


def test_no_slot_at_all_is_refused() -> None:
    with pytest.raises(PyinfraError, match=r"^gpu-a: slots: "):
        settings_of("gpu-a", {"ollama_url": "http://127.0.0.1:11434"})


@pytest.mark.parametrize("name", ["coding", "Coding"])
def test_two_slots_cannot_have_one_name(name: str) -> None:
    message = refused(slot2_name=name, slot2_num_ctx=1)
    assert message.startswith("slot2_name: ")
    assert "slot 1's name" in message


@pytest.mark.parametrize("model", ["coding", "Coding:latest", "library/coding", "coding:previous", "coding:next"])
@pytest.mark.parametrize("slot", [1, 2])
def test_a_slots_variant_is_no_base(slot: int, model: str) -> None:
    message = refused(slot2_name="b", slot2_num_ctx=1, **{f"slot{slot}_model": model})
    assert message.startswith(f"slot{slot}_model: ")


def test_anothers_namespace_may_have_a_slots_name() -> None:
    assert of(slot1_model="me/coding").slots[0].model == "me/coding:latest"


def test_parameters_as_the_engine_takes_them() -> None:
    """A number may be written as a text, and a later engine may know more names."""
    taken = {"top_k": "40", "temperature": 1, "top_p": ".9", "seed": -1, "use_mmap": False, "stop": "x", "tfs": 1}
    assert of(slot1_parameters=taken).slots[0].parameters == taken


@pytest.mark.parametrize(("value", "for_ever"), [(-1, True), ("-1m", True), (3600, False), ("24h", False)])
def test_models_stay_for_ever_or_not(value: int | str, for_ever: bool) -> None:
    assert of(keep_alive=value).for_ever is for_ever


@pytest.mark.parametrize("value", [-1, 3600, "24h", "-1m", "0h30m", "500ms"])
def test_keep_alive_as_the_engine_takes_it(value: int | str) -> None:
    assert of(keep_alive=value).keep_alive == value


def test_the_benchmarks_models_are_names_and_its_profile_one_of_two() -> None:
    assert (of().benchmark_models, of().benchmark_profile) == ([], "quick")
    settings = of(benchmark_models=["mistral", "library/LLaMa3.1:8b"], benchmark_profile="full")
    assert (settings.benchmark_models, settings.benchmark_profile) == (["mistral:latest", "LLaMa3.1:8b"], "full")
    assert refused(benchmark_models="mistral:7b") == (
        "benchmark_models: expected a list of models, such as [\"mistral:7b\"], found 'mistral:7b'"
    )
    assert refused(benchmark_models=["a b"]).startswith("benchmark_models: 'a b' is not a model name")
    assert refused(benchmark_models=[7]).startswith("benchmark_models: expected a list of models")
    assert refused(benchmark_profile="tiny").startswith("benchmark_profile: ")
