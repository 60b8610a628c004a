"""The way in to ollama_slots.verify from a checkout: ``pytest tests/verify``."""

import pytest

pytest.register_assert_rewrite("ollama_slots.verify.test_service", "ollama_slots.verify.test_slots")

from ollama_slots.verify.conftest import (  # noqa: E402 (to be rewritten before they are imported)
    look,
    looks,
    pytest_generate_tests,
)
from ollama_slots.verify.plugin import pytest_addoption  # noqa: E402

__all__ = ["look", "looks", "pytest_addoption", "pytest_generate_tests"]
