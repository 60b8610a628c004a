from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.host.directory_host import DirectoryHost, directory_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DirectoryHost]:
    """A host with an Ollama, and nothing in it."""
    with directory_host(tmp_path / "host") as it:
        yield it
