"""All tests of ollama_slots.verify."""

from ollama_slots.verify.test_service import *  # noqa: F403
from ollama_slots.verify.test_slots import *  # noqa: F403
