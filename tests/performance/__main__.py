"""``python -m tests.performance [PART...]``: measures all parts, or these, and writes docs/performance.md.

fleet, user, boot and profile need the lab with LAB_PACKAGES=python3; scale and report need no host.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from tests.performance import boot, fleet, page, profile, scale, user


def main() -> int:
    """Runs the parts of the command line; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.performance", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="fleet user boot profile scale report (default: all)"
    )
    parser.add_argument("--repeats", type=int, help="default: five, of user three")
    parser.add_argument("--hosts", type=int, nargs="+", default=[2, 10, 20], help="of fleet")
    parser.add_argument("--delays", type=int, nargs="+", default=[0, 50], help="of fleet: ms of added round trip")
    parser.add_argument("--fake-hosts", type=int, nargs="+", default=[100, 1000, 5000], help="of scale")
    options = parser.parse_args()

    parts: dict[str, Callable[[], None]] = {
        "fleet": lambda: fleet.fleet(sorted(options.hosts), options.delays, options.repeats or 5),
        "user": lambda: user.user(options.repeats or 3),
        "boot": lambda: boot.boot(options.repeats or 5),
        "profile": lambda: profile.profile(max(options.hosts)),
        "scale": lambda: scale.scale(options.fake_hosts),
        "report": page.report,
    }
    unknown = set(options.parts) - parts.keys()
    if unknown:
        parser.error(f"no part {' '.join(sorted(unknown))}")
    for name in options.parts or parts:
        start = time.monotonic()
        try:
            parts[name]()
        except AssertionError as error:  # a job that was not done has no figures
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {(time.monotonic() - start) / 60:.1f} min", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
