"""Read the head of a GGUF: the figures of a model's architecture."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from typing import Any

from ollama_slots.core.shape import EMBEDDINGS

LONGEST = 4096  # values of a list that is read; of those that matter there is one for each layer


def read_head(head: bytes, size: int) -> dict[str, Any]:
    """Return the figures of a GGUF: all but its vocabulary, of which there is the shape of its embeddings.

    + head: its first bytes
    + size: of the whole, in bytes

    Returns nothing where the bytes are no GGUF, or end before its head does.
    """
    with tempfile.NamedTemporaryFile() as file:
        file.write(head)
        file.truncate(size)  # the reader maps the tensors too; there is nothing in them to read
        file.flush()
        try:
            reader = _read(file.name, len(head))
        except Exception:  # whatever it stumbles over in bytes that are cut off, or are something else
            return {}
        if reader.data_offset > len(head):
            return {}  # it went on reading where there was nothing
        fields = {}
        for key, field in reader.fields.items():
            if field.data and not key.startswith(("GGUF.", "tokenizer.")):
                with suppress(UnicodeDecodeError):  # a text for people, such as an author's name
                    fields[key] = field.contents()
    for tensor in reader.tensors:
        if tensor.name == f"{EMBEDDINGS}.weight":
            fields[EMBEDDINGS] = tensor.shape.tolist()
    return {key: value for key, value in fields.items() if isinstance(value, bool | int | float | str | list)}


def _read(path: str, known: int) -> Any:
    """Read a file by the library, but for its long lists: for a vocabulary, word by word, it takes 3 to 15 s.

    + known: bytes of the file that are not made up
    """
    import gguf  # noqa: PLC0415 (it brings numpy, which takes longer to import than a deploy with nothing to do)

    class Reader(gguf.GGUFReader):
        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            if raw_type != gguf.GGUFValueType.ARRAY:
                return super()._get_field_parts(orig_offs, raw_type)
            kind, count = int(self._get(orig_offs, "u4")[0]), int(self._get(orig_offs + 4, "u8")[0])
            if count <= LONGEST:
                return super()._get_field_parts(orig_offs, raw_type)
            end = orig_offs + 12
            if kind == gguf.GGUFValueType.STRING:
                data, length = self.data.data, struct.Struct("<Q" if self.byte_order == "I" else ">Q")
                for _ in range(count):
                    end += 8 + length.unpack_from(data, end)[0]
                    if end > known:
                        raise ValueError("it ends before its head does")
            else:
                end += count * self.gguf_scalar_to_np[gguf.GGUFValueType(kind)]().nbytes
            return end - orig_offs, [], [], [gguf.GGUFValueType.ARRAY]

    return Reader(path)
