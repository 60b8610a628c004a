"""What the lab's hosts override, and they alone: groups of your own hosts have other names. A worked example.

Their models come from lab/model_selection.json.
"""

from ollama_slots.selection import slot_models

globals().update(slot_models("lab/model_selection.json"))

# The lab's models are small: 8192 tokens is what SmolLM2 was trained for.
slot1_num_ctx = 8192
slot3_num_ctx = 4096

slot1_system = "You write short, correct Python."
slot1_parameters = {"temperature": 0.2}

pull_insecure = True
load_seconds = 120

ssh_config_file = ".lab/ssh_config"
