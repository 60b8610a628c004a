"""A summary counts each host once, and is short whatever happens."""

import re

from hypothesis import given
from hypothesis import strategies as st

from ollama_slots.core.ending import Ended
from ollama_slots.core.summary import MOST_CAUSES, WIDTH, summary

COLD, GONE, UNLIKE = "slot a: not in memory", "slot b: b is gone", "slot a: resident, not as declared"
FINE = Ended()


def bad(*why: str) -> Ended:
    return Ended(failed=True, why=why)


def fleet(*ends: Ended) -> dict[str, Ended]:
    return {f"gpu{number}": it for number, it in enumerate(ends, 1)}


def test_the_largest_group_comes_first_and_what_failed_nobody_last() -> None:
    only = "slot a: only {} of its 9 bytes in GPU memory".format
    hosts = fleet(
        *[Ended(why=(UNLIKE,))] * 4, bad(GONE), FINE, bad(only(1)), bad(only(2)), bad(only(3)), bad(GONE, COLD)
    )
    assert summary(hosts) == [
        "1 of 10 hosts: every slot resident as declared",
        "3 hosts: slot a: only 1 of its 9 bytes in GPU memory",
        "    gpu7, gpu8, gpu9",
        "1 host: slot b: b is gone",
        "    gpu5",
        "1 host: slot b: b is gone; slot a: not in memory",
        "    gpu10",
        "4 hosts: slot a: resident, not as declared",
        "    gpu1, gpu2, gpu3, gpu4",
    ]


def test_of_hosts_that_failed_those_that_are_merely_unlike_are_not_part() -> None:
    assert summary(fleet(Ended(why=(UNLIKE,)), bad(UNLIKE)))[1:] == [
        "1 host: slot a: resident, not as declared",
        "    gpu2",
        "1 host: slot a: resident, not as declared",
        "    gpu1",
    ]


def test_names_are_left_out_when_there_is_no_room_and_counted() -> None:
    [_, _, names] = summary({f"gpu-{number:03}.example.com": bad(COLD) for number in range(50)})
    shown, more = re.fullmatch(r" {4}(.+) and ([0-9]+) more", names).groups()  # type: ignore[union-attr]
    assert shown.split(", ") == [f"gpu-{number:03}.example.com" for number in range(50 - int(more))]
    assert int(more) > 30
    [*_, names] = summary({200 * "x": bad(COLD), "y": bad(COLD)})
    assert names == f"    {200 * 'x'} and 1 more"


ENDS = st.lists(
    st.one_of(
        st.just(FINE),
        st.builds(lambda it: bad(f"slot {it}: not in memory"), st.integers(1, 40)),
        st.builds(lambda it: Ended(why=(f"slot {it}: resident, not as declared",)), st.integers(1, 3)),
        st.builds(lambda it: bad(it * "x"), st.integers(1, 400)),
    ),
    min_size=1,
    max_size=300,
)


@given(ENDS)
def test_every_host_is_counted_once_and_named_once_or_counted(ends: list[Ended]) -> None:
    hosts = fleet(*ends)
    first, *lines = summary(hosts)
    assert len(lines) <= 2 * MOST_CAUSES + 1
    assert all(len(it) <= WIDTH for it in lines)
    fine, of = re.fullmatch(r"([0-9]+) of ([0-9]+) hosts?: .*", first).groups()  # type: ignore[union-attr]
    assert int(fine) == sum(not it.failed and not it.why for it in ends)
    assert int(of) == len(hosts)
    counted, number, named = int(fine), 0, []
    for line in lines:
        if line.startswith("    "):
            shown, _, more = line.strip().partition(" and ")
            named += shown.split(", ")
            assert len(shown.split(", ")) + int(more.removesuffix(" more") or 0) == number
        else:
            number = int(line.split()[0])
            counted += number
    assert counted == len(hosts)
    assert len(named) == len(set(named))
    assert all(hosts[it].failed or hosts[it].why for it in named)
