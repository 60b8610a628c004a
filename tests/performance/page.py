"""docs/performance.md and its plots, from the raw figures that the parts have left. The text is pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.lab.fleet import ROOT
from tests.performance import boot, kept, tables

PARTS = ("fleet", "user", "boot", "scale", "profile")
DOCS = ROOT / "docs"
Kept = dict[str, dict[str, Any]]


def text(parts: Kept) -> str:
    """The page.

    + parts: what each part has kept; one that was not measured is not there, and the page says so
    """
    environment = Environment(
        loader=FileSystemLoader(ROOT / "tests" / "performance"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # no HTML here
    )
    environment.filters["table"] = tables.markdown
    targets = [row for name, of in TARGETS.items() if name in parts for row in of(parts[name]["rows"])]
    return environment.get_template("performance.md.j2").render(
        parts=parts,
        missing=[it for it in PARTS if it not in parts],
        machines=tables.machines(parts),
        targets=targets,
        bad=[row for row in targets if row[-1] == "**no**"],
        slower=tables.slower(parts["fleet"]["rows"]) if "fleet" in parts else [],
        tables=tables,
        boot=boot,
    )


TARGETS: dict[str, Callable[[list[dict[str, Any]]], list[list[str]]]] = {
    "fleet": tables.fleet_targets,
    "user": tables.user_targets,
    "boot": tables.boot_targets,
    "scale": tables.scale_targets,
}


def report() -> None:
    """Writes the page and its plots. Raises AssertionError where nothing was measured."""
    from tests.performance import plots  # noqa: PLC0415 (matplotlib: the text is tested without it)

    parts = {name: content for name in PARTS if (content := kept.load(name))}
    assert parts, f"there are no figures in {kept.KEPT}: make performance"
    DOCS.mkdir(exist_ok=True)
    for name, draw in plots.PLOTS.items():
        if name in parts:
            draw(parts[name]["rows"], DOCS / f"{name}.svg")
    (DOCS / "performance.md").write_text(text(parts))
    print(f"report: {DOCS / 'performance.md'}")
