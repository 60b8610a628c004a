"""How a run has ended for its hosts, as the table, the report and programs have it."""

import json

from ollama_slots.core.ending import UNREAD, UNTOUCHED, Ended, programs_text, table, text
from ollama_slots.core.held import Held
from ollama_slots.core.observed import Runner

RUNNER = Runner(
    name="a:latest", digest="d", size=5 * 10**9, size_vram=4_940_000_000, context_length=4096, expires_at=""
)
HOT = Held(1, "a", "x:7b", "x:7b", RUNNER, "yes", True)
COLD = Held(2, "b", "y:7b", None, None, "NO: not made yet", False)
EMPTY = Held(3, "c", None, None, None, "empty", True)
UNLIKE = Held(1, "a", "x:7b", "x:7b", RUNNER, "yes, not as declared", False)


def test_hosts_that_failed_before_their_slots_were_seen_come_last_in_the_table() -> None:
    hosts = {"bad": Ended(failed=True), "gpu": Ended((HOT, COLD, EMPTY)), "deaf": Ended(instead=UNREAD)}
    assert table(hosts) == [
        "host  slot  name  base  context  GB in GPU  resident",
        "gpu   1     a     x:7b  4096     4.94       yes",
        "gpu   2     b     y:7b  -        -          NO: not made yet",
        "gpu   3     c     -     -        -          empty",
        "deaf  -     -     -     -        -          NO: could not be read, see above",
        "bad   -     -     -     -        -          NO: failed earlier, see above",
    ]


def test_a_report_says_all_that_is_wrong_with_each_host() -> None:
    hosts = {"bad": Ended(failed=True, why=("no", "and no")), "gpu": Ended((HOT,))}
    assert text(hosts).splitlines() == [
        "host  slot  name  base  context  GB in GPU  resident",
        "gpu   1     a     x:7b  4096     4.94       yes",
        "bad   -     -     -     -        -          NO: failed earlier, see below",
        "",
        "bad: no",
        "bad: and no",
    ]
    assert len(text({"gpu": Ended((HOT,))}).splitlines()) == 2


def test_programs_are_told_of_every_host_and_why_it_failed() -> None:
    hosts = {"gpu": Ended((HOT, COLD, EMPTY)), "bad": Ended(failed=True, why=("no", "and no"))}
    assert json.loads(programs_text(hosts)) == {
        "gpu": {
            "slots": [
                {"slot": 1, "name": "a", "model": "x:7b", "context": 4096, "gpu_bytes": 4940000000}
                | {"resident": True, "as_declared": True},
                {"slot": 2, "name": "b", "model": None, "context": None, "gpu_bytes": None}
                | {"resident": False, "as_declared": False},
            ],
            "failed": None,
        },
        "bad": {"slots": [], "failed": "no; and no"},
    }


def test_why_a_host_failed_is_what_its_slots_say_or_was_said_or_the_last_error() -> None:
    def why(ended: Ended, failed: bool = True) -> tuple[str, ...]:
        known = ended.known(failed, "the last error")
        assert known.failed is (failed or ended.failed)
        assert known.known(failed, "another error") == known
        return known.why

    assert why(Ended((HOT, EMPTY)), failed=False) == ()
    assert why(Ended((HOT,))) == ("the last error",)
    assert why(Ended((HOT, COLD))) == ("slot b: not made yet",)
    assert why(Ended((UNLIKE,)), failed=False) == ("slot a: resident, not as declared",)
    assert why(Ended((UNLIKE,), failed=True, why=("slot a: expected x",))) == ("slot a: expected x",)
    assert why(Ended(instead=UNTOUCHED, failed=True, why=("not touched",)), failed=False) == ("not touched",)
    assert why(Ended(instead=UNREAD, failed=True), failed=False) == ("the last error",)
    # It failed after it had reported, as a canary that is too slow.
    late = Ended((UNLIKE,)).known(False, "")
    assert why(late) == ("slot a: resident, not as declared", "the last error")
