"""The hosts. Out of the box the two lab hosts of ``make lab``; put your own in their place.

Every list is a group; ``group_data/GROUP.py`` has what a group overrides, and a host can have its own data:

    from ollama_slots.selection import slot_models

    gpu_hosts = [
        "gpu-a.example.com",
        ("gpu-b.example.com", {"slot3_model": "mistral:7b", "slot3_num_ctx": 8192}),
        ("gpu-c.example.com", slot_models("selections/gpu-c.json")),
    ]
    canary = ["gpu-a.example.com"]  # deployed to, and proven, before the others are touched
"""

lab = ["gpu1", "gpu2"]
