from typing import Any

import pytest

from ollama_slots.core.plan import questions
from ollama_slots.host.gpus import LOOKED
from ollama_slots.operations.models import models
from ollama_slots.operations.preflight import preflight
from ollama_slots.operations.service import service
from ollama_slots.run import session as commands
from tests.unit import paths
from tests.unit.declared import declared
from tests.unit.deploys import AB, ALL, run
from tests.unit.fake import Asked, Run, answers, argument, called, listed, parts
from tests.unit.host.seam import marked
from tests.unit.world import OF_THE_CPU, World, deployed


def test_a_deploy_brings_a_fresh_host_to_what_is_declared() -> None:
    world = World(most=3)
    done = run(world, *ALL)
    assert done.failed == set()
    assert done.changed == {"gpu": True}
    assert world.most == 9
    assert world.faults(AB) == {}
    assert paths.DROP_IN in world.files
    assert paths.WARM_UP_SCRIPT in world.files


def test_the_drop_in_is_read_before_ollama_is_restarted() -> None:
    taken = run(World(most=3), service)
    assert taken.scripts["gpu"] == ["probe", "install+await+probe"]
    install, restart, _ = parts(taken.commands["gpu"][-1])
    assert f"{paths.ENVIRONMENT} 644" in install
    assert argument(install, "reload") == "yes"
    assert argument(restart, "verb") == "restart"


def test_what_models_are_made_of_is_asked_only_of_a_host_on_which_something_is_left() -> None:
    taken = run(World(most=3), *ALL)
    pulls, rotations = (it for it in taken.commands["gpu"] if called(it) in {"pull+probe", "rotate+probe"})
    assert argument(parts(pulls)[-1], "shows") == "yes"
    assert argument(parts(rotations)[-1], "shows") == "no"


def test_a_dry_run_tells_every_step_that_is_known_and_takes_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = World()
    for base in ("a:1b", "b:1b"):
        world.pull(base)
    done = Run(ALL, AB, dry=True, gpu=answers(world, AB))
    assert done.changed == {"gpu": True}
    assert world.states == {}
    for line in ("slot one: a:1b at 4096 tokens", "slot two: b:1b at 4096 tokens"):
        assert len([it for it in caplog.messages if line in it]) == 1
    assert "still needed after it ran" not in caplog.text


def test_a_dry_run_on_a_host_as_declared_has_nothing_to_tell(ready: World) -> None:
    assert Run(ALL, AB, dry=True, gpu=answers(ready, AB)).changed == {"gpu": False}


@pytest.mark.parametrize("operation", ALL)
def test_a_second_run_reads_once_and_changes_nothing(ready: World, operation: Any) -> None:
    done = run(ready, operation)
    assert done.failed == set()
    assert done.changed == {"gpu": False}
    assert len(done.commands["gpu"]) == 1


def test_where_nothing_is_to_do_the_host_is_read_once(ready: World) -> None:
    done = run(ready, *ALL)
    assert (done.failed, done.changed) == (set(), {"gpu": False})
    assert len(done.commands["gpu"]) == 1


def test_what_is_done_is_decided_by_what_the_host_has_then(ready: World) -> None:
    """Not by what the operation before had seen of it: somebody else has done it meanwhile."""
    before = World(most=9)
    for base in ("a:1b", "b:1b"):
        before.pull(base)
    looks = iter([before.probe()])
    seen = {"== units": Asked(lambda: next(looks, None) or ready.probe())}
    as_it_was = {name: state.variant for name, state in ready.states.items()}
    done = Run([preflight, models], AB, gpu=answers(ready, AB) | seen)
    assert done.failed == set()
    assert done.scripts["gpu"] == ["probe", "rotate+probe", "probe"], "it was to rotate, and did nothing"
    assert {name: state.variant for name, state in ready.states.items()} == as_it_was


def test_what_was_seen_long_ago_is_not_gone_by(ready: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "FRESH_SECONDS", 0)
    assert len(run(ready, *ALL).commands["gpu"]) == len(ALL)


def test_a_run_in_which_nothing_is_to_do_costs_six_commands_at_most_whatever_was_before(ready: World) -> None:
    """A runner shows the digest by which it was loaded: here that of a Modelfile before the present one."""
    for system in ("Be brief.", "Be kind."):
        wanted = declared("a:1b", "b:1b", max_loaded_models=9, slot1_system=system)
        Run(ALL, wanted, gpu=answers(ready, wanted))
    done = Run(ALL, wanted, gpu=answers(ready, wanted))
    assert done.failed == set()
    assert done.changed == {"gpu": False}
    assert len(done.commands["gpu"]) <= 6


def test_a_rotation_takes_three_commands(ready: World) -> None:
    """What preflight saw is enough to see that something is to be done, and what was left is what is proven."""
    wanted = declared("a:1b", "b:1b", max_loaded_models=9, slot1_system="Be brief.")
    done = Run(ALL, wanted, gpu=answers(ready, wanted))
    assert done.failed == set()
    assert done.scripts["gpu"] == ["probe", "details", "rotate+probe"]


def test_a_first_deploy_of_four_slots_takes_five_commands() -> None:
    wanted = declared("a:1b", "b:1b", "c:1b", "d:1b", max_loaded_models=9)
    world = World(most=3)
    done = Run(ALL, wanted, gpu=answers(world, wanted))
    assert (done.failed, world.faults(wanted)) == (set(), {})
    assert done.scripts["gpu"] == [
        *("probe", "install+await+probe", "pull+probe", "rotate+probe"),
        "install+watching+warm+looking+probe",
    ]


def test_where_the_look_of_a_command_cannot_be_read_the_host_is_read_again(ready: World) -> None:
    """As where the connection broke just after the step was taken."""
    wanted = declared("a:1b", "b:1b", max_loaded_models=9, slot1_system="Be brief.")
    looks = iter([ready.probe(), ready.probe()[:9]])
    cut = answers(ready, wanted) | {"== units": Asked(lambda: next(looks, None) or ready.probe())}
    done = Run(ALL, wanted, gpu=cut)
    assert done.failed == set()
    assert done.scripts["gpu"] == ["probe", "details", "rotate+probe", "probe"]


@pytest.mark.parametrize(("state", "word"), [("not-found", "not-found"), ("masked", "masked")])
def test_a_host_without_ollamas_unit_fails_and_is_told_why(
    state: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.service["LoadState"] = state
    done = run(world, service)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    assert f"found it {word}: install Ollama" in caplog.text


def test_a_process_without_the_environment_is_restarted_though_the_drop_in_is_there(ready: World) -> None:
    """As after a run that was interrupted between the two."""
    ready.most = 3
    done = run(ready, service)
    assert done.failed == set()
    assert [it for it in done.commands["gpu"] if "verb=restart" in it]
    assert ready.most == 9


def test_a_process_that_still_lacks_the_environment_is_told_of(
    ready: World, caplog: pytest.LogCaptureFixture
) -> None:
    ready.most = 3
    stubborn = answers(ready, AB) | {"verb=restart": ""}
    done = Run([service], AB, gpu=stubborn)
    assert done.failed == {"gpu"}
    assert (
        "expected Ollama's process to have OLLAMA_MAX_LOADED_MODELS=9, found OLLAMA_MAX_LOADED_MODELS=3, and"
        in (caplog.text)
    )


def test_an_ollama_that_found_no_gpu_and_now_there_is_one_is_restarted_once() -> None:
    ready = deployed(AB)
    ready.gpus, ready.cards = [OF_THE_CPU], ["A fine GPU"]
    done = run(ready, preflight, service)
    assert done.failed == set()
    assert len([it for it in done.commands["gpu"] if "verb=restart" in it]) == 1
    ready.gpus += [LOOKED]
    done = run(ready, preflight, service)
    assert not [it for it in done.commands["gpu"] if "verb=restart" in it]


NO_GPU = declared("a:1b", "b:1b", max_loaded_models=9, require_gpu=False)


def test_where_no_gpu_is_wanted_ollama_need_not_find_one() -> None:
    ready = deployed(AB)
    ready.gpus, ready.cards = [OF_THE_CPU], ["A fine GPU"]
    done = Run([preflight, service], NO_GPU, gpu=answers(ready, NO_GPU))
    assert not [it for it in done.commands["gpu"] if "verb=restart" in it]


@pytest.mark.parametrize(
    ("expects", "data", "by"),
    [
        ("yes", {}, "as at the last deploy"),
        ("no", {"require_gpu": True}, "for require_gpu = True"),
        ("no", {}, ""),
    ],
)
def test_a_host_that_has_lost_its_gpu_is_refused_before_anything(
    expects: str, data: dict[str, Any], by: str, caplog: pytest.LogCaptureFixture
) -> None:
    ready = deployed(AB)
    ready.gpus, ready.expects = [OF_THE_CPU], [f"gpu={expects}"]
    settings = declared("a:1b", "b:1b", max_loaded_models=9, **data)
    done = Run([preflight, service, models], settings, gpu=answers(ready, settings))
    assert done.failed == ({"gpu"} if by else set())
    assert (f"GPU: expected one, {by}, found none when Ollama was started" in caplog.text) == bool(by)
    assert not by or len(done.commands["gpu"]) == 1


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"most": 3}, "restart Ollama: its process lacks OLLAMA_MAX_LOADED_MODELS=9"),
        ({"keep_alive": "5m"}, "restart Ollama: its process lacks OLLAMA_KEEP_ALIVE=-1"),
        ({}, "start Ollama: it is not running"),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
def test_a_dry_run_tells_that_ollama_is_started_anew_and_a_deploy_tells_it_once(
    ready: World, found: dict[str, Any], line: str, ours: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether or not a file of ours comes first, at which a plan that is shown ends."""
    caplog.set_level("INFO")
    for key, value in found.items():
        setattr(ready, key, value)
    if not ours:
        del ready.files[paths.ENVIRONMENT]
    responses = answers(ready, AB) if found else stopped(ready)
    assert Run([service], AB, dry=True, gpu=responses).changed == {"gpu": True}
    assert len([it for it in caplog.messages if it.endswith(line)]) == 1
    caplog.clear()
    Run([service], AB, gpu=responses)
    assert len([it for it in caplog.messages if it.endswith(line)]) == 1


def test_where_only_a_file_is_written_no_start_is_told(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    del ready.files[paths.ENVIRONMENT]
    assert Run([service], AB, dry=True, gpu=answers(ready, AB)).changed == {"gpu": True}
    assert "start Ollama" not in caplog.text


@pytest.mark.parametrize(("model", "told"), [(None, 1), ("none", 0), ("a:1b", 0)])
def test_that_no_slot_has_a_model_is_told_once(
    model: str | None, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    settings, world = declared(model, max_loaded_models=9), World()
    assert Run(ALL, settings, gpu=answers(world, settings)).failed == set()
    assert caplog.text.count("no slot has a model: set slotN_model, or put a model_selection.json beside") == told


STARTED, NOW = "/run/systemd/units/invocation:ollama.service", "/proc/self"


@pytest.mark.parametrize("operation", [preflight, service])
def test_a_process_that_was_started_in_vain_is_not_started_again(
    ready: World, operation: Any, caplog: pytest.LogCaptureFixture
) -> None:
    ready.most = 3
    ready.changed = {paths.ENVIRONMENT: 100.5, "/of/tomorrow": 300, STARTED: 100.75, NOW: 200}
    done = run(ready, operation)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    [line] = [it for it in caplog.messages if "another start would not help" in it]
    assert "run systemctl restart ollama on the host, then deploy again" in line


@pytest.mark.parametrize("since", ["a file", "systemd's view", "our file", "an earlier drop-in", "nothing known"])
def test_what_changed_since_the_start_is_a_reason_for_another(ready: World, since: str) -> None:
    ready.most = 3
    ready.changed = {paths.ENVIRONMENT: 100.5, STARTED: 100.75, NOW: 200}
    if since == "a file":
        ready.changed["/opt/start.sh"] = 100.8
    elif since == "systemd's view":
        ready.service["NeedDaemonReload"] = "yes"
    elif since == "our file":
        del ready.files[paths.ENVIRONMENT]
    elif since == "an earlier drop-in":
        ready.files[paths.OUTDATED] = "0" * 64
    else:
        del ready.changed[STARTED]
    done = run(ready, service)
    assert not done.failed
    assert len([it for it in done.commands["gpu"] if "verb=restart" in it]) == 1


@pytest.mark.parametrize("keep_alive", ["-1m", "-24h", "'-1'"])
def test_another_spelling_is_no_reason_for_a_restart(ready: World, keep_alive: str) -> None:
    ready.keep_alive = keep_alive
    done = run(ready, *ALL)
    assert (done.failed, done.changed) == (set(), {"gpu": False})


def test_the_drop_in_of_earlier_deploys_is_taken_away_without_a_restart(ready: World) -> None:
    ready.files[paths.OUTDATED] = "0" * 64
    done = run(ready, service)
    assert done.scripts["gpu"] == ["probe", "install+probe"]
    install, _ = parts(done.commands["gpu"][-1])
    given = {it: argument(install, it) for it in ("gone", "reload", "enable")}
    assert (given, listed(install)) == ({"gone": paths.OUTDATED, "reload": "yes", "enable": ""}, [])


@pytest.mark.parametrize(("at", "refused"), [(100.75, False), (101, True)])
def test_a_script_that_the_process_was_started_by_is_told_by_the_process(
    ready: World, at: float, refused: bool
) -> None:
    """That it has what is declared counts for more than what can be read in the script, unless that is newer."""
    ready.settings = [f"{UNSET}:1:[Service]", f"{UNSET}:2:ExecStart=/s", "/s:9:export OLLAMA_KEEP_ALIVE=24h"]
    ready.changed = {paths.ENVIRONMENT: 150, UNSET: 90, "/s": at, STARTED: 100.75, NOW: 200}
    done = run(ready, service)
    assert (done.failed, len(done.commands["gpu"])) == ({"gpu"} if refused else set(), 1)


UNSET = "/etc/systemd/system/ollama.service.d/own.conf"


@pytest.mark.parametrize("operation", [preflight, service])
@pytest.mark.parametrize("most", [3, 9])
def test_what_stands_in_the_way_of_a_variable_is_named_before_anything_is_done(
    ready: World, operation: Any, most: int, caplog: pytest.LogCaptureFixture
) -> None:
    ready.most = most  # whether Ollama's process lacks it already, or will
    ready.settings = [f"{UNSET}:1:[Service]", f"{UNSET}:2:UnsetEnvironment=OLLAMA_MAX_LOADED_MODELS"]
    done = run(ready, operation)
    assert done.failed == {"gpu"}
    assert len(done.commands["gpu"]) == 1
    [line] = [it for it in caplog.messages if "expected OLLAMA_MAX_LOADED_MODELS=9 to hold" in it]
    assert f"{UNSET}:2: expected" in line
    assert "found that it unsets OLLAMA_MAX_LOADED_MODELS" in line
    assert "declare max_loaded_models as it is there" in line


def stopped(world: World) -> dict[str, Any]:
    """A host whose Ollama does not run, and what was found to answer all the same."""
    world.service["MainPID"] = "0"
    return answers(world, AB)


def test_an_ollama_that_does_not_run_is_started(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    responses = stopped(ready)

    def start() -> list[str]:
        ready.service["MainPID"] = "42"
        return []

    done = Run([service], AB, gpu=responses | {"verb=start": Asked(start)})
    assert done.failed == set()
    assert "start Ollama: it is not running" in caplog.text
    assert "lacks" not in caplog.text, "what does not run has no environment"


def test_another_program_in_the_place_of_ollama_is_told_of(ready: World, caplog: pytest.LogCaptureFixture) -> None:
    done = Run([service], AB, gpu=stopped(ready) | {"verb=start": ""})
    assert done.failed == {"gpu"}
    assert "Ollama's process has ended, though something answers at" in caplog.text


def test_a_unit_that_was_changed_on_the_disk_is_read_again(ready: World) -> None:
    ready.service["NeedDaemonReload"] = "yes"
    assert argument(parts(run(ready, service).commands["gpu"][1])[0], "reload") == "yes"


@pytest.mark.parametrize(("state", "enabled"), [("disabled", True), ("enabled", False), ("static", False)])
def test_ollamas_unit_is_enabled_for_the_next_boot(ready: World, state: str, enabled: bool) -> None:
    ready.service["UnitFileState"] = state
    *_, last = run(ready, service).commands["gpu"]
    assert argument(parts(last)[0], "enable") == ("ollama.service" if enabled else "")


def test_a_host_that_stops_being_readable_after_the_restart_fails(ready: World) -> None:
    ready.most = 3
    responses = answers(ready, AB)
    probes = iter([ready.probe()])
    responses["== units"] = Asked(lambda: next(probes, ["sh: not a probe"]))
    assert Run([service], AB, gpu=responses).failed == {"gpu"}


@pytest.mark.parametrize("operation", ALL)
def test_a_host_that_cannot_be_read_fails_and_no_other(ready: World, operation: Any) -> None:
    unreadable = {"== units": {"success": False, "stderr": "sh: 1: flock: not found"}}
    done = Run([operation], AB, bad=unreadable, gpu=answers(ready, AB))
    assert done.failed == {"bad"}
    assert done.changed == {"gpu": False}
    assert len(done.commands["bad"]) == 1


@pytest.mark.parametrize(
    "output", [[], ["nonsense"], ["== lacks", "== units", "== environ", "== api", "{", "== end"]]
)
def test_a_probe_that_makes_no_sense_fails_its_host_and_no_other(ready: World, output: list[str]) -> None:
    done = Run(ALL, AB, bad={"== units": marked(output)}, gpu=answers(ready, AB))
    assert done.failed == {"bad"}
    assert done.changed == {"gpu": False}


def test_an_api_that_does_not_answer_fails_the_models(caplog: pytest.LogCaptureFixture, ready: World) -> None:
    silent = marked(ready.silent())
    done = Run([models], AB, gpu={"== units": silent})
    assert done.failed == {"gpu"}
    assert "Ollama does not answer at http://127.0.0.1:11434" in caplog.text


@pytest.mark.parametrize("command", ["ollama-slots/pull", "ollama-slots/rotate"])
def test_a_step_that_fails_is_the_last_one_on_its_host(command: str, ready: World) -> None:
    bad = World()
    failing = answers(bad, AB) | {command: {"success": False}}
    done = Run(ALL, AB, bad=failing, gpu=answers(ready, AB))
    assert done.failed == {"bad"}
    assert command in done.commands["bad"][-1]
    assert done.changed == {"gpu": False}
    assert bad.states == {}


@pytest.mark.parametrize(("stderr", "told"), [("", True), ("pull of a:1b failed: EOF", False)])
def test_a_pull_whose_connection_breaks_is_told_of(
    stderr: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Else pyinfra says no more than that there was an error; a pull that fails says why itself."""
    failing = answers(World(), AB) | {"ollama-slots/pull": {"success": False, "stderr": stderr}}
    assert Run([models], AB, gpu=failing).failed == {"gpu"}
    assert ("the connection broke, or the command was killed: the next run resumes" in caplog.text) == told


def test_a_step_that_is_done_in_vain_is_not_done_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    in_vain = answers(World(), AB) | {"ollama-slots/pull": ""}
    done = Run([models], AB, gpu=in_vain)
    assert done.failed == {"gpu"}
    assert "pull a:1b, for slot one: still needed after it ran; giving up" in caplog.text


def test_shared_weights_that_are_refused_fail_the_host_before_anything_is_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = declared("x:16b", "x", shared_base="error", max_loaded_models=9)
    world = World()
    world.publish("x:16b", weights="x")
    world.publish("x:latest", weights="x")
    assert Run([models], refused, gpu=answers(world, refused)).failed == {"gpu"}
    assert "share the weights of x:16b" in caplog.text
    assert world.states == {}


def test_a_modelfile_is_on_no_command_line() -> None:
    """Every user of a host can read them: what is in it goes to the script's stdin (test_modelfile_stdin.py)."""
    settings = declared("a:1b", max_loaded_models=9, slot1_system="it's $(reboot)")
    done = Run([models], settings, gpu=answers(World(), settings))
    assert [it for it in done.commands["gpu"] if "ollama-slots/rotate" in it]
    assert not any("reboot" in it for it in done.commands["gpu"])


def test_a_model_that_somebody_brings_between_two_looks_at_a_host_is_pulled_and_no_surprise() -> None:
    """Two deploys at once: the other one's pull takes no lock, and ended right then."""
    world = World()
    asked = answers(world, AB)

    def later() -> list[str]:
        models = questions(AB, world.found())
        if "b:1b" not in world.tags:
            world.pull("b:1b")
        return world.show(models)

    asked["== show"] = Asked(later)
    done = Run([models], AB, gpu=asked)
    assert done.failed == set()
    assert world.faults(AB) == {}
