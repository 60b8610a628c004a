"""Models of many architectures: GGUFs with the right heads and random weights, for what they hold in memory.

They have no vocabulary to speak of, and say nothing that has a meaning. Which tensors an architecture has was read
in llama.cpp b10488 (src/models/).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import gguf
import numpy as np

LAYERS, WIDTH, INNER, WORDS = 8, 512, 1024, 512
ASK, KEEP, HEAD = 8, 4, 64  # heads that ask and that are kept, and the values of one
EXPERTS, CHOSEN, EXPERT = 8, 2, 256

Figure = int | float | list[int] | list[bool]


@dataclass
class Gguf:
    """A GGUF that is being written."""

    writer: gguf.GGUFWriter
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def tensor(self, name: str, *shape: int, whole: bool = False) -> None:
        """Random weights. + whole: with four bytes each, not two"""
        values = self.chance.random(shape, np.float32) * 0.04 - 0.02
        self.writer.add_tensor(f"{name}", values if whole else values.astype(np.float16))

    def norms(self, layer: int, size: int, *names: str) -> None:
        for name in names:
            self.tensor(f"blk.{layer}.{name}", size, whole=True)

    def attention(self, layer: int) -> None:
        self.norms(layer, WIDTH, "attn_norm.weight")
        for name, rows in (("q", ASK), ("k", KEEP), ("v", KEEP)):
            self.tensor(f"blk.{layer}.attn_{name}.weight", rows * HEAD, WIDTH)
        self.tensor(f"blk.{layer}.attn_output.weight", WIDTH, ASK * HEAD)

    def feed_forward(self, layer: int) -> None:
        self.norms(layer, WIDTH, "ffn_norm.weight")
        for name in ("gate", "up"):
            self.tensor(f"blk.{layer}.ffn_{name}.weight", INNER, WIDTH)
        self.tensor(f"blk.{layer}.ffn_down.weight", WIDTH, INNER)

    def experts(self, layer: int, biased: bool) -> None:
        self.tensor(f"blk.{layer}.ffn_gate_inp.weight", EXPERTS, WIDTH, whole=True)
        if biased:
            self.tensor(f"blk.{layer}.ffn_gate_inp.bias", EXPERTS, whole=True)
        for name, (rows, columns) in {
            "gate": (EXPERT, WIDTH),
            "up": (EXPERT, WIDTH),
            "down": (WIDTH, EXPERT),
        }.items():
            self.tensor(f"blk.{layer}.ffn_{name}_exps.weight", EXPERTS, rows, columns)
            if biased:
                self.tensor(f"blk.{layer}.ffn_{name}_exps.bias", EXPERTS, rows, whole=True)

    def short_convolution(self, layer: int) -> None:
        self.norms(layer, WIDTH, "attn_norm.weight")
        self.tensor(f"blk.{layer}.shortconv.conv.weight", WIDTH, 3, whole=True)
        self.tensor(f"blk.{layer}.shortconv.in_proj.weight", 3 * WIDTH, WIDTH)
        self.tensor(f"blk.{layer}.shortconv.out_proj.weight", WIDTH, WIDTH)

    def state_space(self, layer: int, inner: int, state: int, steps: int) -> None:
        self.norms(layer, WIDTH, "attn_norm.weight")
        name, mixed = f"blk.{layer}.ssm_", inner + 2 * state
        self.tensor(f"{name}in.weight", inner + mixed + steps, WIDTH)
        self.tensor(f"{name}conv1d.weight", mixed, 4, whole=True)
        self.tensor(f"{name}conv1d.bias", mixed, whole=True)
        self.tensor(f"{name}dt.bias", steps, whole=True)
        for one in ("a", "d"):
            self.tensor(f"{name}{one}", steps, 1, whole=True)
        self.tensor(f"{name}norm.weight", 1, inner, whole=True)
        self.tensor(f"{name}out.weight", WIDTH, inner)


def _figures(architecture: str) -> dict[str, Figure]:
    """The figures of an architecture that are not those of all."""
    hybrid = [0, 0, 0, KEEP] * (LAYERS // 4)
    mixture: dict[str, Figure] = {
        "expert_count": EXPERTS,
        "expert_used_count": CHOSEN,
        "expert_feed_forward_length": EXPERT,
    }
    more: dict[str, dict[str, Figure]] = {
        "gemma2": {
            "attention.sliding_window": 512,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
        },
        "gemma3": {"attention.sliding_window": 512},
        "gpt-oss": {**mixture, "attention.sliding_window": 128},
        "qwen3moe": mixture,
        "lfm2": {"attention.head_count_kv": hybrid, "shortconv.l_cache": 3},
        "granitehybrid": {
            "attention.head_count_kv": hybrid,
            "ssm.conv_kernel": 4,
            "ssm.inner_size": 1024,
            "ssm.state_size": 128,
            "ssm.group_count": 1,
            "ssm.time_step_rank": 32,
        },
    }
    return more.get(architecture, {})


def write(path: Path, architecture: str) -> None:
    """Writes a GGUF of an architecture."""
    writer = gguf.GGUFWriter(path, architecture)
    figures: dict[str, Figure] = {
        "block_count": LAYERS,
        "context_length": 131072,
        "embedding_length": WIDTH,
        "feed_forward_length": INNER,
        "attention.head_count": ASK,
        "attention.head_count_kv": KEEP,
        "attention.key_length": HEAD,
        "attention.value_length": HEAD,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": HEAD,
    } | _figures(architecture)
    for key, value in figures.items():
        name = f"{architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    writer.add_uint32(f"{architecture}.vocab_size", WORDS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([f"w{number}" for number in range(WORDS)])
    writer.add_token_types([1] * WORDS)
    writer.add_token_merges(["w1 w2"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    _weights(Gguf(writer), architecture)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(file: Gguf, architecture: str) -> None:
    tied = architecture in {"gemma2", "gemma3", "lfm2"}
    file.tensor("token_embd.weight", WORDS, WIDTH)
    file.tensor("token_embd_norm.weight" if architecture == "lfm2" else "output_norm.weight", WIDTH, whole=True)
    if not tied:
        file.tensor("output.weight", WORDS, WIDTH)
    for layer in range(LAYERS):
        if architecture in {"lfm2", "granitehybrid"} and layer % 4 != 3:
            if architecture == "lfm2":
                file.short_convolution(layer)
            else:
                file.state_space(layer, inner=1024, state=128, steps=32)
        else:
            file.attention(layer)
            if architecture in {"gemma3", "qwen3moe", "lfm2"}:
                file.norms(layer, HEAD, "attn_q_norm.weight", "attn_k_norm.weight")
        if architecture in {"gemma2", "gemma3"}:
            file.norms(layer, WIDTH, "post_attention_norm.weight", "post_ffw_norm.weight")
        if architecture == "gpt-oss":
            file.norms(layer, WIDTH, "post_attention_norm.weight", "attn_output.bias")
            file.norms(layer, ASK, "attn_sinks.weight")
            file.norms(layer, ASK * HEAD, "attn_q.bias")
            file.norms(layer, KEEP * HEAD, "attn_k.bias", "attn_v.bias")
        if architecture in {"gpt-oss", "qwen3moe"}:
            if architecture == "qwen3moe":
                file.norms(layer, WIDTH, "ffn_norm.weight")
            file.experts(layer, biased=architecture == "gpt-oss")
        else:
            file.feed_forward(layer)
