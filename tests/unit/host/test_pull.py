"""A pull on a host: what it shows, and what it leaves."""

import time
from pathlib import Path

import pytest

from tests.unit.host.pulling import BROKEN, FULL, GO_ON, MODEL, SUCCESS, A, B, Host, looked, part, partial, said


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_it_shows_its_progress_and_leaves_no_record(host: Host) -> None:
    finish = f"rm *-partial-0; mv sha256-{A}-partial sha256-{A}"
    code, shown = host.pull(partial(), said(), said(completed=49_000_000), looked(1), finish, SUCCESS)
    assert code == 0, shown
    assert f"{MODEL}: 49 of 98 MB, 24 MB/s, 2 s left" in shown
    assert (host.record, host.files) == ({}, {f"sha256-{A}"})


def test_what_a_broken_pull_leaves_is_recorded_with_its_time(host: Host) -> None:
    code, shown = host.pull(f"echo weights >sha256-{B}", said(B), partial(), said(), BROKEN)
    assert (code, shown) == (1, [f"pull of {MODEL} failed: curl: (52) Empty reply from server (for slot one)"])
    assert host.record == {A: host.left(), B: host.left(f"sha256-{B}")}


def test_of_a_registry_that_speaks_plain_http_the_setting_for_it_is_named(host: Host) -> None:
    why = "http: server gave HTTP response to HTTPS client"
    code, [line] = host.pull(f"""echo '{{"error":"pull model manifest: {why}"}}'""")
    assert (code, line.partition(why)[2]) == (
        1,
        ": set pull_insecure = True for a registry that speaks plain HTTP (for slot one)",
    )


def test_the_next_one_goes_on_from_there_and_what_it_leaves_is_ours_again(host: Host) -> None:
    host.pull(partial(), said(), BROKEN)
    code, shown = host.pull("touch *-partial", said(completed=40_000_000), BROKEN)
    assert (code, shown[0]) == (1, f"{MODEL}: resuming at 40 MB")
    assert host.record == {A: host.left()}


def test_what_was_there_before_is_someone_elses(host: Host) -> None:
    host.has(partial(), f"echo whole >sha256-{B}")
    host.pull(said(B), said(), BROKEN)
    assert host.record == {}


def test_what_someone_else_has_gone_on_with_is_theirs(host: Host) -> None:
    host.pull(partial(), said(), BROKEN)
    host.has("touch *-partial")
    host.pull(said(), FULL)
    assert host.record == {}
    assert f"sha256-{A}-partial" in host.files


@pytest.mark.parametrize("answer", [BROKEN, FULL])
def test_what_someone_else_is_going_on_with_is_left_to_them(host: Host, answer: str) -> None:
    """The engine ends a pull, and closes its file, when the last one is gone who waits for it."""
    host.has(partial())
    with host.holding(host.blobs / f"sha256-{A}-partial"):
        host.has(f"mkdir -p {host.records} && echo {MODEL} >{host.records}/{A}")  # both began it
        assert host.pull(said(), answer)[0] == 1
    assert host.record == {A: MODEL}
    assert f"sha256-{A}-partial" in host.files


def test_a_full_disk_is_not_left_full(host: Host) -> None:
    host.has(partial(blob=B))
    code, shown = host.pull(said(B), partial(), said(completed=1), FULL)
    assert (code, shown) == (
        1,
        [
            f"{MODEL}: resuming at 0 MB",
            f"pull of {MODEL} failed: no space left on device, so its partial download was removed (for slot one)",
        ],
    )
    assert (host.record, host.files) == ({}, {f"sha256-{B}-partial", f"sha256-{B}-partial-0"})


def test_what_another_model_is_made_of_by_then_stays_on_a_full_disk(host: Host) -> None:
    host.has(f"""echo '{{"digest":"sha256:{B}","size":8}}' >../manifests/hub/theirs""")
    code, _ = host.pull(f"echo weights >sha256-{B}", said(B), partial(), said(), FULL)
    assert (code, host.record, host.files) == (1, {}, {f"sha256-{B}"})


def test_nor_does_it_leave_the_empty_part_that_would_fail_each_pull_from_then_on(host: Host) -> None:
    assert host.pull(f": >sha256-{A}-partial-0", FULL)[0] == 1
    assert (host.record, host.files) == ({}, set())


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        (["""echo '{"status":"pulling manifest"}'"""], "its registry has not answered in 6 s"),
        ([said()], "0 of 98000000 bytes, none in 6 s"),
        ([said(completed=4_000_000)], "4000000 of 98000000 bytes, none in 6 s"),
    ],
)
@pytest.mark.parametrize("then", ["exec /bin/sleep 60", "while :; do {}; /bin/sleep 0.01; done"])
def test_a_stall_ends_with_its_numbers(host: Host, answer: list[str], numbers: str, then: str) -> None:
    host.has("touch ../stands")
    code, shown = host.pull(*answer, GO_ON, then.format(answer[-1]), stall=6)
    assert (code, shown) == (1, [f"pull of {MODEL} stalled: {numbers} (for slot one)"])


def test_that_the_engine_reads_what_it_has_for_long_is_no_stall(host: Host) -> None:
    verify = """echo '{"status":"verifying sha256 digest"}'"""
    host.has("touch ../stands")
    assert host.pull(said(completed=98_000_000), verify, GO_ON, looked(5), SUCCESS, stall=6) == (0, [])


@pytest.mark.parametrize("silent", [False, True])
def test_where_nobody_listens_it_ends_and_records_what_it_leaves(host: Host, silent: bool) -> None:
    go_on = f'echo $$ >../engine; while :; do n=$((n + 4000000)); {said()} | sed s/}}/,\\"completed\\":$n}}/; '
    pause = "exec /bin/sleep 60" if silent else "/bin/sleep 0.01"
    process = host.start(partial(), go_on + f"[ $n -lt 20000000 ] || {pause}; done", stall=60 if silent else 600)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 1
    engine = Path(f"/proc/{(host.path / 'store' / 'engine').read_text().strip()}")
    end = time.monotonic() + 20
    while engine.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not engine.exists(), "the request has ended"
    assert host.record == {A: host.left()}


@pytest.mark.parametrize(
    "broken",
    [
        f": >sha256-{A}-partial-1",  # by a full disk, or a loss of power
        f"rm sha256-{A}-partial-0",  # by a start of the engine, when it was older than an hour
        f"rm sha256-{A}-partial",
    ],
)
def test_a_partial_file_of_ours_that_the_engine_cannot_go_on_from_is_begun_anew(host: Host, broken: str) -> None:
    two_parts = [partial(), part(49_000_000), part(49_000_000, number=1)]
    host.pull(*two_parts, said(), BROKEN)
    seen = "[ -e sha256-*-partial-0 ] && " + said(completed=7)
    assert host.pull(seen, BROKEN)[1][0] == f"{MODEL}: resuming at 0 MB"
    host.has(broken)
    assert host.pull("ls >../seen", BROKEN)[0] == 1
    assert (host.path / "store" / "seen").read_text() == ""
