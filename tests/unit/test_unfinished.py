"""What a pull that was not finished has left, as a removal reads it."""

from pathlib import Path

import pytest

from tests.unit.pulling import BROKEN, MODEL, SUCCESS, A, B, Host, part, partial, said


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


@pytest.mark.parametrize("left", [EMPTY, ZEROS, ONE_IS_GONE, ONLY_PARTS])
@pytest.mark.parametrize("recorded", [True, False])
def test_what_the_engine_cannot_go_on_from_is_gone_before_the_next_pull(
    tmp_path: Path, left: str, recorded: bool
) -> None:
    host = Host(tmp_path)
    if recorded:
        host.has("mkdir -p ../../state/unfinished", f"echo '{MODEL} ' >../../state/unfinished/{A}")
    host.has(left, "sleep 0.02; touch ../../started")
    code, lines = host.pull("ls >../../seen", SUCCESS)
    assert (code, [it for it in lines if "goes on" in it]) == (0, [])
    assert (tmp_path / "seen").read_text() == ""


@pytest.mark.parametrize("left", [partial(), f"touch ../../started; sleep 0.02; {EMPTY}"])
def test_what_can_be_gone_on_from_and_what_somebody_begins_just_now_stays(tmp_path: Path, left: str) -> None:
    host = Host(tmp_path)
    host.has(left, "[ -e ../../started ] || { sleep 0.02; touch ../../started; }")
    assert host.pull("ls >../../seen", SUCCESS)[0] == 0
    assert (tmp_path / "seen").read_text().split() == [f"sha256-{A}-partial", f"sha256-{A}-partial-0"]
