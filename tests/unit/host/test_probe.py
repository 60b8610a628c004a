import pytest

from ollama_slots.core.gpus import Gpu
from ollama_slots.core.observed import Line, Observed
from ollama_slots.host.gpus import LOOKED
from ollama_slots.host.probe import parse_probe
from tests.unit.declared import declared
from tests.unit.world import OF_THE_CPU, World, deployed, of_start

A, B, C = "a" * 64, "b" * 64, "c" * 64
SHOWN = 0.05 * 2**30  # what is shown with one decimal may be as much less

# As a host printed it, but for the digests.
PROBE = f"""\
== lacks
== units
Id=ollama.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled
NeedDaemonReload=no
MainPID=312
FragmentPath=/etc/systemd/system/ollama.service

MainPID=0
Id=ollama-warmup.service
LoadState=not-found
ActiveState=inactive
UnitFileState=
NeedDaemonReload=no
== environ
OLLAMA_KEEP_ALIVE=-1
OLLAMA_ORIGINS=http://a=b
== gpus
{of_start(24576, 23552)}
== cards
== installed
gpu=yes
url=http://127.0.0.1:11434
== files
{A}  /etc/systemd/system/ollama.service.d/zz-ollama-slots.conf
{B}  /etc/ollama/modelfiles/coding primary.Modelfile
== settings
/etc/systemd/system/ollama.service:5:[Service]
/etc/systemd/system/ollama.service.d/a b.conf:12:Environment="A=b:7:c"
== changed
1764099000.1234567890 /etc/systemd/system/ollama.service.d/over ride.conf
1764099999.0000000000 /opt/of-tomorrow
1764099001.5000000000 /run/systemd/units/invocation:ollama.service
1764099002.000000000 /proc/self
== since
the rotation of slot one, begun at 10:30:00 as process 7, 0123
== states
/var/lib/ollama-slots/coding.slot:model=hub:5000/me/x:7b
/var/lib/ollama-slots/coding.slot:modelfile={A}
/var/lib/ollama-slots/coding.slot:base={A}
/var/lib/ollama-slots/coding.slot:weights={B}
/var/lib/ollama-slots/coding.slot:context=4096
/var/lib/ollama-slots/coding.slot:variant={C}
/var/lib/ollama-slots/bases:hub:5000/me/x:7b 2026-01-15T10:30:00.123456789Z
== live
sha256-bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
== asked
http://127.0.0.1:11434
http://127.0.0.1:11434
== api
{{"version":"0.32.15"}}
{{"models":[{{"name":"Coding:latest","model":"Coding:latest","modified_at":"2026-01-15T10:30:00.1Z","size":98,\
"digest":"{C}","details":{{"parent_model":"hub:5000/me/x:7b","families":null}},"capabilities":["completion"]}},\
{{"name":"odd name:7b","size":1,"digest":"{A}","details":{{}}}}]}}
{{"models":[{{"name":"coding:previous","model":"coding:previous","size":253,"digest":"{C}","details":{{"parent_model":""}},\
"expires_at":"2318-04-27T00:00:00Z","size_vram":200,"context_length":4096}}]}}
== store
models /srv/my models
path /proc/312/root/srv/my models
may write
name registry.ollama.ai/library/Coding/latest
name ollama.com/me/x/7b
name hub%3A5000/me/x/7b
name too/few
== scraps
/var/lib/ollama-slots/of me.slot.new
== end
""".splitlines()


def without(section: str, *lines: str) -> list[str]:
    """The probe's output with other lines in one of its sections."""
    start = PROBE.index(f"== {section}") + 1
    end = next((i for i, line in enumerate(PROBE) if i >= start and line.startswith("== ")), len(PROBE))
    return [*PROBE[:start], *lines, *PROBE[end:]]


def test_all_of_a_probe() -> None:
    found = parse_probe(PROBE)
    assert found.units["ollama.service"]["LoadState"] == "loaded"
    assert found.units["ollama.service"]["MainPID"] == "312"
    assert found.units["ollama-warmup.service"]["LoadState"] == "not-found"
    assert found.units["ollama-warmup.service"]["MainPID"] == "0"  # whichever comes first of a unit's lines
    assert found.environ == {"OLLAMA_KEEP_ALIVE": "-1", "OLLAMA_ORIGINS": "http://a=b"}
    total, available = int(24 * 2**30 - SHOWN), int(23 * 2**30 - SHOWN)
    name = r"A \"fine\" GPU"
    assert found.gpus == (Gpu(library="CUDA", total=total, available=available, name=name, compute="8.9"),)
    assert found.has_gpu
    assert found.modelfiles["coding primary"] == B
    assert found.settings == (
        Line("/etc/systemd/system/ollama.service", 5, "[Service]"),
        Line("/etc/systemd/system/ollama.service.d/a b.conf", 12, 'Environment="A=b:7:c"'),
    )
    assert found.changed == {"/etc/systemd/system/ollama.service.d/over ride.conf": 1764099000.123456789}
    assert found.started == 1764099001.5
    assert found.states["coding"].model == "hub:5000/me/x:7b"
    assert found.states["coding"].context == 4096
    assert set(found.bases) == {"hub:5000/me/x:7b"}
    assert found.version == "0.32.15"
    assert found.scraps == ("/var/lib/ollama-slots/of me.slot.new",)
    assert found.listed
    [listed] = found.listed.values()  # a name that no deploy could have made is nobody's
    assert (listed.name, listed.size) == ("Coding:latest", 98)
    assert found.runners
    [runner] = found.runners
    assert (runner.name, runner.digest, runner.size, runner.size_vram) == ("coding:previous", C, 253, 200)


def test_a_digest_is_found_by_any_spelling_of_a_name() -> None:
    found = parse_probe(PROBE)
    assert found.digest("coding") == found.digest("library/CODING:latest") == C
    assert found.digest("coding:7b") is None


def test_the_state_that_was_written_is_the_state_that_is_read() -> None:
    world = deployed(declared("a:1b", "b:1b"))
    assert world.found().states == world.states


def test_an_api_that_does_not_answer_is_unknown_and_not_empty() -> None:
    found = parse_probe(without("api", "", "", ""))
    assert (found.version, found.listed, found.runners) == (None, None, None)
    assert found.digest("coding") is None


def test_an_engine_without_models_is_empty_and_not_unknown() -> None:
    for none in ("[]", "null"):
        found = parse_probe(without("api", '{"version":"0"}', f'{{"models":{none}}}', f'{{"models":{none}}}'))
        assert found.listed == {}
        assert found.runners == ()


def test_a_process_that_does_not_run_has_an_unknown_environment() -> None:
    stopped = [line.replace("MainPID=312", "MainPID=0") for line in without("environ")]
    assert parse_probe(stopped).environ is None
    assert parse_probe(without("environ")).environ == {}
    assert parse_probe(without("units")).environ is None


def test_a_host_without_a_gpu() -> None:
    found = looked([OF_THE_CPU])
    assert found.gpus == ()
    assert not found.has_gpu


def looked(gpus: list[str], cards: list[str] | None = None, expects: str = "no", vram: int = 0) -> Observed:
    """A probe of a host where Ollama said this when it started, and the driver says that now."""
    probe = without("gpus", *gpus)
    probe[probe.index("== cards") + 1 : probe.index("== installed")] = cards or []
    probe[probe.index("== installed") + 1] = f"gpu={expects}"
    return parse_probe([line.replace('"size_vram":200', f'"size_vram":{vram}') for line in probe])


CARD = ["A fine GPU"]


@pytest.mark.parametrize(
    ("found", "blind", "has_gpu"),
    [
        (looked([of_start(24576)]), False, True),
        (looked([of_start(24576), of_start(8192, library="ROCm")]), False, True),
        (looked([OF_THE_CPU]), False, False),
        (looked([OF_THE_CPU], CARD), True, True),  # it may have been started before the driver was ready
        (looked([OF_THE_CPU, LOOKED], CARD), False, False),  # it was not: it does not use that card
        (looked([OF_THE_CPU], expects="yes"), False, True),  # it had one at the last deploy
        (looked([]), False, False),
        (looked([], CARD), False, True),
        (looked([], vram=200), False, True),
        (looked([], expects="yes"), False, True),
        (looked(['level=INFO msg="inference compute"', "noise"]), False, False),
    ],
)
def test_what_ollama_found_decides_whether_there_is_a_gpu(found: Observed, blind: bool, has_gpu: bool) -> None:
    assert (found.blind, found.has_gpu) == (blind, has_gpu)


def test_what_is_no_longer_known_is_unknown() -> None:
    assert looked([]).gpus is None
    assert looked([OF_THE_CPU]).gpus == ()


def test_the_words_of_older_versions_are_read_too() -> None:
    old = (
        'time=2025-07-01T19:33:43.163Z level=INFO source=types.go:130 msg="inference compute" id=GPU-452c '
        'library=cuda variant=v12 compute=6.1 driver=12.7 name="NVIDIA GeForce GT 1030" '
        'total="512.0 MiB" available="500 MiB"'
    )
    [gpu] = looked([old]).gpus or ()
    assert (gpu.library, gpu.name, gpu.available) == ("cuda", "NVIDIA GeForce GT 1030", 500 << 20)
    assert gpu.total == int(511.95 * 2**20), "what is shown is rounded"


BROUGHT = [
    ("coding:latest", "2026-01-15T10:30:00.1Z", True),
    ("library/Coding", "2026-01-15T11:30:00.1+01:00", True),
    ("coding:latest", "2026-01-15T10:30:00.2Z", False),
    ("coding:7b", "2026-01-15T10:30:00.1Z", False),
]
BASES = "/var/lib/ollama-slots/bases"
STATE = PROBE[PROBE.index("== states") + 1 : PROBE.index("== live") - 1]


@pytest.mark.parametrize("gone", range(6))
def test_a_state_that_was_cut_short_is_no_state(gone: int) -> None:
    assert parse_probe(without("states", *STATE[:gone], *STATE[gone + 1 :])).states == {}


@pytest.mark.parametrize(
    "line",
    [
        "coding.slot:context=many",
        "coding.slot:context=",
        "coding.slot:model=",
        "coding.slot:model=;$(reboot)",
        "coding.slot:model=x y",
    ],
)
def test_a_damaged_state_is_no_state(line: str) -> None:
    assert parse_probe(without("states", *STATE, f"/var/lib/ollama-slots/{line}")).states == {}


@pytest.mark.parametrize(
    "line", ["", "x:7b", "x:7b now", "x y 2026-01-15T10:30:00Z", ";$(reboot) 2026-01-15T10:30:00Z"]
)
def test_a_damaged_record_of_a_base_is_no_record(line: str) -> None:
    kept = [f"{BASES}:{line}", f"{BASES}:me/y 2026-01-15T10:30:00Z"]
    assert set(parse_probe(without("states", *STATE, *kept)).bases) == {"registry.ollama.ai/me/y:latest"}


@pytest.mark.parametrize(("model", "when", "brought"), BROUGHT)
def test_a_base_is_as_it_was_pulled_until_someone_pulls_it_again(model: str, when: str, brought: bool) -> None:
    """By any spelling; the engine tells the time by the nanosecond, and in the zone that it was started in."""
    assert parse_probe(without("states", *STATE, f"{BASES}:{model} {when}")).brought("coding:latest") is brought


@pytest.mark.parametrize("name", ["coding (copy)", "", "a:b"])
def test_a_state_of_no_possible_slot_is_no_state(name: str) -> None:
    """A copy that someone made of a state file; what is ours is looked up by these names."""
    copy = [line.replace("/coding.slot", f"/{name}.slot") for line in STATE]
    assert set(parse_probe(without("states", *STATE, *copy)).states) == {"coding"}


def test_an_unknown_line_in_a_state_is_of_another_version_and_no_damage() -> None:
    assert "coding" in parse_probe(without("states", *STATE, "/var/lib/ollama-slots/coding.slot:more=1")).states


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ([], "did not finish"),
        (PROBE[: PROBE.index("== states")], "did not finish"),
        (["sh: 1: systemctl: not found"], "did not finish"),
        (without("api", '{"version":"0.32.15"}', '{"models":[', ""), "."),  # cut off by a time limit
        (without("api", '{"version":"0.32.15"}', '{"models":[{"name":"x"}]}', ""), "."),
    ],
)
def test_what_is_not_a_whole_probe_is_a_value_error(output: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_probe(output)


def test_a_host_that_is_being_changed_is_not_looked_at() -> None:
    who = "the rotation of slot coding, begun at 10:30:00 as process 7"
    assert parse_probe(["== lacks", "== busy", who, "== end"]).busy == who
    assert parse_probe(["== lacks", "== busy", "== end"]).busy == "another run"
    assert parse_probe(PROBE).busy is None


def test_the_test_host_says_what_a_real_one_says() -> None:
    """The keys that the fleet's tests rely on are those of a real probe."""
    world = deployed(declared("a:1b"), World())
    sections = [line for line in world.probe() if line.startswith("== ")]
    assert sections == [line for line in PROBE if line.startswith("== ")]
