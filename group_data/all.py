"""Every setting: key, default, unit and meaning.

Overridden, from the weakest to the strongest, by group_data/GROUP.py, a host's own data in inventory.py, and
``--data KEY=VALUE`` on the command line.
"""

from ollama_slots.selection import slot_models

# --- The slots -------------------------------------------------------------------------------------------
# Four of them; a fifth is slot5_name, slot5_num_ctx and slot5_model.
#
# slotN_model      the base: a model as `ollama pull` takes it. A slot without one is left as it is on each
#                  host; "none" empties it (in a selection file it is no choice).
# slotN_name       the name that users ask for
# slotN_num_ctx    its context window, in tokens
# slotN_system     its system prompt                                    default: the base's own
# slotN_parameters more Modelfile PARAMETERs: {"temperature": 0.2, "stop": ["<|end|>"]}; with {"num_gpu": 0} it is
#                  for the CPU, on a host with a GPU too             default: the base's own
# slotN_modelfile  a template of its Modelfile, as a path from here     default: the package's own

slot1_name = "coding-primary"  # code generation and debugging
slot1_model = "qwen2.5-coder:14b"
slot1_num_ctx = 32768

slot2_name = "general-primary"  # conversation and reasoning
slot2_model = "llama3.1:8b"
slot2_num_ctx = 16384

slot3_name = "backup"  # for either, when the others are down
slot3_model = "deepseek-coder-v2:16b"
slot3_num_ctx = 16384

slot4_name = "experimental"  # the user's own: --data slot4_model=mistral:7b sets it, =none empties it
slot4_num_ctx = 8192

# Where there is a model_selection.json, the models that it gives to slots 1 to 3 take the place of those above.
globals().update(slot_models("model_selection.json"))

# --- Rules -----------------------------------------------------------------------------------------------
# Ollama loads weights once, in one runner with one window, whatever slots are on them. Different windows on the
# same weights would evict each other with each request: "align" gives all of them the largest, "error" refuses,
# "allow" lets them.
shared_base = "align"

# True: a slot that is not wholly in GPU memory is a failure, unless its num_gpu is for less. "auto": where Ollama
# found a GPU when it was started. False: never.
require_gpu = "auto"

# How long Ollama holds a model that is not used: seconds, a duration such as "24h", or -1 for ever.
keep_alive = -1

# How many models Ollama holds at once; None: one for each slot, and one more for a rotation's candidate.
max_loaded_models = None

# GPU memory of the host in GiB (2^30 bytes), as of one card; None: as Ollama found it, and nvidia-smi says.
gpu_memory_gib = None

# What a pull is to leave free on the disk of the models, in GiB.
disk_headroom_gib = 2

# Where hosts get their models from, in place of each model's own registry: a mirror that
# `ollama-slots-mirror` has filled, e.g. "http://mirror.example.com:5080". The names on the hosts stay
# what they are.
model_registry = None

# True: the registry of the models speaks plain HTTP. (What a mirror speaks is said by its URL.)
pull_insecure = False

# The systemd unit of Ollama. A machine that has several Ollamas is an inventory name for each, with the same
# ssh_hostname: see docs/on-the-host.md.
ollama_unit = "ollama.service"

# Where Ollama is asked, seen from the host itself, e.g. "http://127.0.0.1:11434"; None: where its process listens.
ollama_url = None

# Hosts in a group `canary` are deployed to first, and others are touched only if no canary failed. How fast each
# slot has to be there, in tokens per second; None: it has to answer. An embedding model only has to answer.
canary_min_tokens_per_sec = None

# What is done about slots that leave memory between deploys. "heal": a watch loads them again as declared,
# "report": it tells the journal and Prometheus, "off": there is none. See docs/watch.md.
watch = "heal"

# Within how many seconds the watch has begun to load a slot that has left memory: it looks after nine tenths of
# them, again and again. While all is well, a look asks nothing of any model.
watch_seconds = 30

# True: models in memory that are no slot's are unloaded where a slot that has left needs their room. False: the
# slot waits, and the watch reports who is in its way.
watch_evicts = False

# The file that a deploy, or a status, writes at its end, with every slot of every host: NAME.txt, or NAME.json for
# programs. None: of more than ten hosts ollama-slots-report.txt, where pyinfra runs; of fewer none.
report = None

# The slot that tasks/rollback.py takes back to the variant it had before: its name, or "all".
rollback = "all"

# --- Bounds, in seconds ----------------------------------------------------------------------------------
api_seconds = 120  # for Ollama's API to answer after a start
load_seconds = 600  # for one model to load and answer one token
pull_seconds = 6 * 3600  # for one pull; the next run resumes
pull_stall_seconds = 300  # for a pull in which no byte arrives; that Ollama then checks all of it does not count

# --- tasks/prune.py --------------------------------------------------------------------------------------
# True: what this tool brought and nothing declares any more is removed; False: it is listed. For one run, with
# --data prune=true, rather than here.
prune = False

# True: so is NAME:previous, what each slot had before its last rotation.
prune_previous = False

# --- tasks/benchmark.py ----------------------------------------------------------------------------------
# Models that the benchmark compares with those of slots 1 to 3: ["qwen3-coder:30b", "mistral:7b"].
benchmark_models = []

# How much each model is asked: "quick", 87 items, or "full", 686. See docs/benchmark.md.
benchmark_profile = "quick"

# The hours in which models are asked, by the host's own clock, e.g. "02:00-05:00"; what is not asked at their end,
# the next run asks. None: at any time.
benchmark_window = None

# --- SSH -------------------------------------------------------------------------------------------------
# _sudo            True: what a deploy runs on a host, it runs as root by sudo        default: False
# ssh_config_file  your OpenSSH configuration                                         default: ~/.ssh/config

# Host keys that known_hosts does not have are refused. (pyinfra's own default, "accept-new", takes them.)
ssh_strict_host_key_checking = "yes"
