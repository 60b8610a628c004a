"""What a pull that was not finished has left, as a removal reads it."""

from pathlib import Path

from tests.unit.host.pulling import BROKEN, MODEL, A, B, Host, partial, said


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
