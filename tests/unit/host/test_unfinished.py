"""What a pull that was not finished has left, as a removal reads it."""

from pathlib import Path

import pytest

from ollama_slots.host import scripts
from tests.unit.host.pulling import BROKEN, MODEL, SUCCESS, A, B, Host, part, partial, said


def test_what_a_pull_has_left_is_ours_until_someone_goes_on_with_it_or_it_is_gone(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.pull(f"echo weights >sha256-{B}", said(B), partial(), said(), BROKEN)
    [of_a, of_b] = host.stored().unfinished
    assert [(it.model, it.blob, it.ours) for it in (of_a, of_b)] == [
        (MODEL, f"sha256:{A}", True),
        (MODEL, f"sha256:{B}", True),
    ]
    assert of_a.size % 512 == of_b.size % 512 == 0
    assert 0 < of_b.size < 98_000_000, "what it takes on the disk"
    host.has("touch *-partial")
    assert [it.ours for it in host.stored().unfinished] == [False, True]
    host.has("rm *-partial*")
    assert [it.blob for it in host.stored().unfinished] == [f"sha256:{B}"]


EMPTY = f"touch sha256-{A}-partial sha256-{A}-partial-0"
ZEROS = f"truncate -s 98000000 sha256-{A}-partial; truncate -s 54 sha256-{A}-partial-0"
ONE_IS_GONE = f"truncate -s 98000000 sha256-{A}-partial; {part(49_000_000)}"
ONLY_PARTS = part(98_000_000)


def starts(host: Host) -> None:
    """Ollama is started: systemd makes a link anew."""
    path = Path(scripts.path("invocations", f"{host.path}"))
    path.mkdir(parents=True)
    (path / "invocation:ollama.service").symlink_to("0123")


@pytest.mark.parametrize("left", [EMPTY, ZEROS, ONE_IS_GONE, ONLY_PARTS])
@pytest.mark.parametrize("recorded", [True, False])
def test_what_the_engine_cannot_go_on_from_is_gone_before_the_next_pull(
    tmp_path: Path, left: str, recorded: bool
) -> None:
    host = Host(tmp_path)
    if recorded:
        host.records.mkdir(parents=True)
        (host.records / A).write_text(f"{MODEL} \n")
    host.has(left, "sleep 0.02")
    starts(host)
    code, lines = host.pull("ls >../../seen", SUCCESS)
    assert (code, [it for it in lines if "goes on" in it]) == (0, [])
    assert (tmp_path / "seen").read_text() == ""


@pytest.mark.parametrize(("left", "just_now"), [(partial(), False), (EMPTY, True)])
def test_what_can_be_gone_on_from_and_what_somebody_begins_just_now_stays(
    tmp_path: Path, left: str, just_now: bool
) -> None:
    host = Host(tmp_path)
    if just_now:
        starts(host)
    host.has("sleep 0.02", left, "sleep 0.02")
    if not just_now:
        starts(host)
    assert host.pull("ls >../../seen", SUCCESS)[0] == 0
    assert (tmp_path / "seen").read_text().split() == [f"sha256-{A}-partial", f"sha256-{A}-partial-0"]
