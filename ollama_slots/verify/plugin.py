"""Add the option of this suite to pytest: with ``--pyargs`` its own conftest.py is found too late for that."""

from __future__ import annotations

from contextlib import suppress

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the inventory, unless it is there: a checkout need not be installed."""
    with suppress(ValueError):
        parser.addoption("--inventory", default="inventory.py", help="the inventory file (default: inventory.py)")
