"""docs/configuration.md, from group_data/all.py: ``make pages`` writes it anew."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE, MANUAL = ROOT / "docs" / "configuration.md", ROOT / "group_data" / "all.py"
COMMENTED = r"(?:slotN_\w+|_sudo|ssh_config_file)"
HEAD = """\
# Configuration

Written by `make pages` from [`group_data/all.py`](../group_data/all.py), which is the manual: do
not edit it here.

All of these are pyinfra host data: settings, each under a key. Overridden, from the weakest to the strongest:

1. the defaults below, which are built in, but for the models (a slot without one is left as it is) and for the SSH
   key `ssh_strict_host_key_checking`, of which pyinfra's own is "accept-new";
2. `model_selection.json` beside `deploy.py`, for `slot1_model` to `slot3_model`;
3. `group_data/all.py`; that of this repository reads `model_selection.json` itself, after its own `slotN_model`,
   so there the file wins;
4. `group_data/GROUP.py`;
5. a host's own data in `inventory.py`;
6. `--data KEY=VALUE` on the command line.

Data that are wrong end the run with one line, before any host is asked anything. Keys of your own are left alone,
but for those that begin with `slot`, or are nearly one of these (`keepalive`, `slt1_num_ctx`): they are most often
misspelt, would be ignored, and end the run as well. Rename your own.
"""


class Entry(NamedTuple):
    """A setting as the manual has it."""

    section: str
    key: str
    default: str
    meaning: str


def entries(text: str) -> Iterator[Entry]:
    """The settings of a manual, in its order: a key's meaning is the comment above it, or the one beside it.

    Those of a slot, and pyinfra's own, are comments alone: KEY MEANING, and ``default:`` with it.
    """
    section, comment = "", ""
    for line in [*text.splitlines(), ""]:
        heading, commented = re.fullmatch(r"# --- (.+?) -+", line), re.match(rf"# {COMMENTED} ", line)
        setting = re.fullmatch(r"(\w+) = (.*?)(?:  # (.*))?", line)
        ended = heading or commented or not line.startswith("#")
        if ended and (match := re.fullmatch(rf"({COMMENTED}) +(.*?)(?: +default: (.*))?", comment)):
            yield Entry(section, match[1], match[3] or "", match[2])
            comment = ""
        if heading:
            section, comment = heading[1], ""
        elif commented or line == "#":
            comment = line[2:]
        elif line.startswith("# "):
            comment = f"{comment} {line[2:].strip()}".strip()
        elif setting:
            yield Entry(section, setting[1], setting[2], setting[3] or comment)
            comment = ""
        else:
            comment = ""


def page(text: str) -> str:
    """The page that a manual's text makes."""
    lines, section = [HEAD], ""
    for entry in entries(text):
        if entry.section != section:
            section = entry.section
            lines += [
                *([""] if lines[1:] else []),
                f"## {section}",
                "",
                "| key | default | meaning |",
                "|---|---|---|",
            ]
        code = entry.default and not re.search("[a-z]'s ", entry.default)
        default = f"`{entry.default}`" if code else entry.default
        lines.append(f"| `{entry.key}` | {default} | {entry.meaning.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(MANUAL.read_text(encoding="utf-8")), encoding="utf-8")
