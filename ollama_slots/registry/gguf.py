"""Read the head of a GGUF: the figures of a model's architecture."""

from __future__ import annotations

import tempfile
from typing import Any

from ollama_slots.core.shape import EMBEDDINGS


def read_head(head: bytes, size: int) -> dict[str, Any]:
    """Return the figures of a GGUF: all but its vocabulary, of which there is the shape of its embeddings.

    + head: its first bytes
    + size: of the whole, in bytes

    Returns nothing where the bytes are no GGUF, or end before its head does.
    """
    import gguf  # noqa: PLC0415 (it brings numpy, which takes longer to import than a deploy with nothing to do)

    with tempfile.NamedTemporaryFile() as file:
        file.write(head)
        file.truncate(size)  # the reader maps the tensors too; there is nothing in them to read
        file.flush()
        try:
            reader = gguf.GGUFReader(file.name)
        except Exception:  # whatever it stumbles over in bytes that are cut off, or are something else
            return {}
        if reader.data_offset > len(head):
            return {}  # it went on reading where there was nothing
        fields = {
            key: field.contents()
            for key, field in reader.fields.items()
            if not key.startswith(("GGUF.", "tokenizer."))
        }
    for tensor in reader.tensors:
        if tensor.name == f"{EMBEDDINGS}.weight":
            fields[EMBEDDINGS] = tensor.shape.tolist()
    return {key: value for key, value in fields.items() if isinstance(value, bool | int | float | str | list)}
