"""Deploy to the hosts of the group ``canary`` first, and gate all others on their proof."""

from __future__ import annotations

from pyinfra import host, logger
from pyinfra.api import FunctionCommand, Host, State, operation
from pyinfra.api.exceptions import NoGroupError

from ollama_slots.core.ending import UNPROVEN, UNTOUCHED, Ended
from ollama_slots.core.settings import Settings
from ollama_slots.core.targets import targets
from ollama_slots.facts import SlotSpeeds
from ollama_slots.run import table
from ollama_slots.run.session import UNREADABLE, Commands, fact, read, refuse, run, unread

GROUP = "canary"


def canaries(host: Host) -> list[Host]:
    """Return the canaries of a host's inventory, including those that ``--limit`` leaves out of a run."""
    try:
        return list(host.inventory.get_group(GROUP))
    except NoGroupError:
        return []


@operation()
def speed(settings: Settings) -> Commands:
    """Prove a canary: every slot answers, at ``canary_min_tokens_per_sec`` or faster.

    + settings: of this host

    Idempotency: it changes nothing; each slot is asked for 64 tokens, or for an embedding.
    """
    if not host.state.is_executing:
        return  # what is to be proven is not there before the run
    observed = read(settings)
    if observed is None or observed.url is None:
        yield unread(observed)
        return
    speeds = fact(SlotSpeeds, unit=settings.ollama_unit, url=observed.url, seconds=settings.load_seconds)
    if speeds is None:
        yield refuse(UNREADABLE)
        return
    held = [it.slot.name for it in targets(settings, observed)]
    slow = too_slow(settings, held, speeds)
    if slow:
        yield refuse("; ".join(slow))
        return
    each = {name: speeds[name] for name in held}
    told = ", ".join(f"{name} {'none (embeddings)' if it is None else f'{it:.0f}'}" for name, it in each.items())
    run().proven.add(host.name)
    host.noop(f"tokens per second: {told}")


def too_slow(settings: Settings, held: list[str], speeds: dict[str, float | str | None]) -> list[str]:
    """Return why a canary fails, a line for each slot. Pure.

    + held: the slots that are to hold a model; of a host's others, such as one that was renamed, nothing is asked
    + speeds: tokens per second by slot, or why it did not answer; None: it makes no tokens
    """
    wanted = settings.canary_min_tokens_per_sec or 0
    lines = []
    for name in held:
        speed = speeds.get(name, "it was not measured")
        if isinstance(speed, str):
            lines.append(f"slot {name}: does not answer: {speed}")
        elif speed is not None and speed < wanted:
            lines.append(f"slot {name}: expected at least {wanted:g} tokens per second, found {speed:.1f}")
    return lines


@operation()
def gate() -> Commands:
    """Gate all other hosts on the canaries: until each of them is proven, fail before touching anything.

    A canary that is not in the run is not waited for. For all hosts: pyinfra keeps the order of the operations of
    each host, but puts those of different hosts into any order that allows for that. What they have in common is
    where they wait for each other. With ``--serial`` and ``--no-wait`` no host waits for any other, so that a
    canary may not even have begun.

    Idempotency: it changes nothing.
    """
    first = canaries(host)
    failed = sorted(it.name for it in first if it in host.state.failed_hosts)
    late = sorted(it.name for it in first if it in host.state.activated_hosts and it.name not in run().proven)
    if host in first or not host.state.is_executing:
        host.noop("the other hosts wait for the canaries")
    elif failed:
        message = f"not touched: canary {' and '.join(failed)} failed"
        yield FunctionCommand(_untouched, (UNTOUCHED, message), {})
    elif late:
        message = (
            f"not touched: expected canary {' and '.join(late)} to be proven first, found it not proven yet: "
            "run without --serial and --no-wait"
        )
        yield FunctionCommand(_untouched, (UNPROVEN, message), {})
    else:
        host.noop("no canary has failed")


def _untouched(state: State, host: Host, instead: str, message: str) -> bool:  # noqa: ARG001 (pyinfra's names)
    host.log_styled(message, fg="red", log_func=logger.error)
    table.report(host, Ended(instead=instead, failed=True, why=(message,)))
    return False
