"""Read from a model's figures how much memory the engine takes for it: what it guesses, and what it then holds.

The figures are those of the GGUF's head, as /api/show gives them in model_info. What they mean was read in
llama.cpp b10488 (src/llama-hparams.cpp, llama-kv-cache-iswa.cpp, models/) and in Ollama v0.34.4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# Of so many layers one has the whole window in its cache, the others no more than slides over the text; where
# attention.sliding_window_pattern says nothing else.
ONE_WHOLE_OF = {
    "gemma2": 2,
    "gptoss": 2,
    "gpt-oss": 2,
    "afmoe": 4,
    "cohere2": 4,
    "cohere2moe": 4,
    "exaone4": 4,
    "exaone-moe": 4,
    "laguna": 4,
    "llama4": 4,
    "mellum": 4,
    "muse-glimmer": 4,
    "olmo2": 4,
    "smallthinker": 4,
    "gemma3n": 5,
    "gemma3": 6,
    "plamo3": 8,
}
SLIDES_OVER = {"gemma2": 4096, "exaone4": 4096, "llama4": 8192}  # tokens, where not said
SLIDES_AT = {"exaone4": 64}  # only in a model of so many layers, whatever is said
# The layers from here on have no cache of their own.
CACHED_LAYERS = {"gemma3n": 20}
# Of so many layers one attends, where full_attention_interval says nothing else; the others have a state.
ONE_ATTENDS_OF = {"qwen35": 4, "qwen35moe": 4, "qwen3next": 4}
CACHELESS = {
    "bert",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
}
ALL_STATES = {"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"}  # no layer attends
# Which the engine never has answer several requests at once, whatever OLLAMA_NUM_PARALLEL says (server/sched.go).
ONE_REQUEST = {
    "mllama",
    "qwen3vl",
    "qwen3vlmoe",
    "qwen35",
    "qwen35moe",
    "qwen3next",
    "lfm2",
    "lfm2moe",
    "nemotron_h",
    "nemotron_h_moe",
    "nemotron_h_omni",
}
# Bytes of a value in the cache, by OLLAMA_KV_CACHE_TYPE: q8_0 and q4_0 have blocks of 32.
CACHE_BYTES = {"q8_0": 34 / 32, "q4_0": 18 / 32, "f32": 4.0}
MOST_LAYERS = 10_000  # more is no model, and a list as long
CELLS = 256  # a cache has a multiple of them
EMBEDDING_BATCH = 2048  # tokens that are computed at once for embeddings, at most (llm/llama_server.go)
EMBEDDINGS = "token_embd"  # the shape of this tensor, beside the figures
WORDS = "vocab_size"


class Load(NamedTuple):
    """How the engine loads a model.

    + tokens: the window of one request
    + parallel: how many requests at once, each with a cache of its own
    + flash: with flash attention; else the scores of a whole batch lie in memory
    + cache: OLLAMA_KV_CACHE_TYPE
    + embeds: for embeddings, of which each token has one
    + batch: its num_batch; 0: the engine chooses
    """

    tokens: int
    parallel: int = 1
    flash: bool = True
    cache: str = "f16"
    embeds: bool = False
    batch: int = 0


class Shape:
    """The figures of a model's architecture."""

    def __init__(self, model_info: dict[str, Any]) -> None:
        """Take them as /api/show gives them."""
        self.info = model_info
        self.architecture = str(model_info.get("general.architecture") or "")

    def each(self, key: str) -> list[int]:
        """Return a figure for each layer, or one for all of them; nothing where it is a list that was left out.

        What is no whole number is 0, as what is not there.
        """
        value = self.info.get(f"{self.architecture}.{key}")
        return [_whole(it) for it in value] if isinstance(value, list) else [_whole(value)]

    def one(self, key: str) -> int:
        """Return the largest of a figure; 0 where it is not there."""
        return max(self.each(key), default=0)

    @property
    def layers(self) -> int:
        """How many layers it has; 0 where it is not said, or no model could have so many."""
        said = self.one("block_count")
        return said if said <= MOST_LAYERS else 0

    @property
    def heads(self) -> int:
        """The heads that ask, in the layer that has most of them."""
        return self.one("attention.head_count")

    @property
    def a_head(self) -> int:
        """How many values a head has, where nothing else is said."""
        return self.one("embedding_length") // self.heads if self.heads else 0

    @property
    def words(self) -> int:
        """How many words its vocabulary has; 0 where that is not known."""
        embeddings = self.info.get(EMBEDDINGS)
        return self.one(WORDS) or (_whole(embeddings[-1]) if isinstance(embeddings, list) and embeddings else 0)

    @property
    def scores_each_token(self) -> bool:
        """Whether each token of a batch has a score for each word: where text was made an embedding of (seen)."""
        return f"{self.architecture}.pooling_type" in self.info and self.architecture not in CACHELESS

    @property
    def left_out(self) -> list[str]:
        """The figures that the memory depends on, and which /api/show leaves out unless verbose.

        Lists are empty then, or null in the versions before 0.34.
        """
        keys = ("attention.head_count_kv", "attention.sliding_window_pattern")
        lists = [key for key in keys if self.info.get(f"{self.architecture}.{key}", 0) in ([], None)]
        return lists + [WORDS] * (self.scores_each_token and not self.words)

    def key_value_heads(self) -> list[int]:
        """Return the heads of each layer whose keys and values are kept; as many as ask, where it is not said."""
        said = self.each("attention.head_count_kv")
        if len(said) == self.layers > 1:
            return said
        most = max(said, default=0) or self.heads
        return [most] * self.layers

    def attends(self, layer: int) -> bool:
        """Return whether a layer has keys and values in a cache; else it has a state of a fixed size, or none."""
        interval = self.one("full_attention_interval") or ONE_ATTENDS_OF.get(self.architecture, 1)
        return self.architecture not in ALL_STATES and (layer + 1) % interval == 0

    def slides(self, layer: int) -> bool:
        """Return whether a layer's cache has no more than the sliding window."""
        pattern = self.info.get(f"{self.architecture}.attention.sliding_window_pattern")
        if isinstance(pattern, list) and layer < len(pattern):
            return bool(pattern[layer])
        period = pattern if isinstance(pattern, int) and pattern else ONE_WHOLE_OF.get(self.architecture, 1)
        return period > 1 and layer % period < period - 1

    @property
    def window(self) -> int:
        """How many tokens the sliding window has; 0: it has none."""
        if self.layers != SLIDES_AT.get(self.architecture, self.layers):
            return 0
        said = self.info.get(f"{self.architecture}.attention.sliding_window")
        return int(said) if isinstance(said, int) else SLIDES_OVER.get(self.architecture, 0)


def parallel(model_info: dict[str, Any], wanted: int) -> int:
    """Return how many requests at once the engine has a model answer.

    + wanted: OLLAMA_NUM_PARALLEL
    """
    return 1 if Shape(model_info).architecture in ONE_REQUEST | CACHELESS else wanted


def predicted(model_info: dict[str, Any], file_bytes: int, tokens: int) -> int:
    """Return the bytes that Ollama expects a model to need (llm/llama_server.go, v0.34.4).

    + model_info: as /api/show gives it
    + file_bytes: size of the weights
    + tokens: window x parallel requests
    """
    shape = Shape(model_info)
    heads = min(shape.each("attention.head_count_kv"), default=0)
    if not heads and "attention.head_count_kv" not in shape.left_out:
        heads = 1
    return file_bytes + 2 * shape.layers * (heads or shape.heads) * shape.a_head * tokens * 2


def batch_of(load: Load) -> int:
    """Return how many tokens the engine has computed at once, at most (server/sched.go, v0.34.4)."""
    tokens = load.tokens * load.parallel
    if load.embeds or load.batch > 0:
        return min(tokens, load.batch if load.batch > 0 else EMBEDDING_BATCH)
    return 512 if not load.flash or tokens <= 4096 else 1024 if tokens <= 32768 else 2048


def surcharge(load: Load) -> int:
    """Return the bytes that Ollama adds to its guess for a num_batch (server/sched.go, v0.34.4).

    One that it chooses itself is as large as fits.
    """
    if load.embeds or load.batch < 1024:
        return 0
    return 768 * 2**20 if load.batch < 2048 else 2 * 2**30


def cached(model_info: dict[str, Any], load: Load) -> int:
    """Return the bytes of a model's cache, and of the states of layers that have one in its place."""
    shape = Shape(model_info)
    if shape.architecture in CACHELESS:
        return 0
    a_value = CACHE_BYTES.get(load.cache, 2.0) if load.flash else 2.0
    whole = _cells(load.tokens)
    sliding = min(whole, _cells(shape.window + batch_of(load))) if shape.window else whole
    with_cache = CACHED_LAYERS.get(shape.architecture, shape.layers - shape.one("attention.shared_kv_layers"))
    total = 0.0
    for layer, heads in enumerate(shape.key_value_heads()):
        if not (shape.attends(layer) and heads):
            total += 4 * _state(shape)
        elif layer < with_cache:
            slides = bool(shape.window) and shape.slides(layer)
            total += heads * _values(shape, slides) * (sliding if slides else whole) * a_value
        if shape.architecture == "falcon-h1":  # whose layers have both
            total += 4 * _state(shape)
    return int(total) * load.parallel


def computed(model_info: dict[str, Any], load: Load) -> int:
    """Return the bytes that a batch is computed in, at most: on each GPU that a model lies on."""
    shape, whole = Shape(model_info), _cells(load.tokens)
    sliding = min(whole, _cells(shape.window + batch_of(load))) if shape.window else 0
    # A mask of each kind of cache, of two bytes with flash attention; without it the scores lie there, too.
    attention = 2 * (whole + sliding) if load.flash else 4 * (whole + sliding + shape.heads * whole)
    experts = shape.one("expert_feed_forward_length") * shape.one("expert_used_count")
    results = (9 if experts else 8) * shape.one("embedding_length")
    activations = 4 * max(shape.one("feed_forward_length"), experts) + results
    scores = shape.words if shape.scores_each_token else 0
    return batch_of(load) * (attention + 4 * (activations + scores))


def held(model_info: dict[str, Any], file_bytes: int, load: Load) -> int:
    """Return the bytes that a loaded model holds at most: what /api/ps shows, or somewhat less.

    Weights, cache, and what a batch is computed in.
    """
    return file_bytes + cached(model_info, load) + computed(model_info, load)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int) else 0


def _cells(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def _values(shape: Shape, slides: bool) -> int:
    """Return how many values of a token a head has in the cache."""
    if shape.one("attention.key_length_mla"):
        return shape.one("attention.key_length") or shape.one(
            "attention.kv_lora_rank"
        )  # the values are in the keys
    suffix = "_swa" if slides and shape.one("attention.key_length_swa") else ""
    return sum(shape.one(f"attention.{it}_length{suffix}") or shape.a_head for it in ("key", "value"))


def _state(shape: Shape) -> int:
    """Return how many values a layer keeps of a request in place of a cache (n_embd_r, n_embd_s)."""
    embedding, kept = shape.one("embedding_length"), shape.one("shortconv.l_cache")
    if kept:
        return embedding * (kept - 1)
    if a_head := shape.one("wkv.head_size"):
        return embedding * (2 + a_head)
    if a_head := shape.one("kda.head_dim"):
        return shape.heads * a_head * (3 * max(shape.one("ssm.conv_kernel") - 1, 3) + a_head)
    inner, state = shape.one("ssm.inner_size"), shape.one("ssm.state_size")
    past = max(shape.one("ssm.conv_kernel") - 1, 0)
    return past * (inner + 2 * shape.one("ssm.group_count") * state) + state * inner
