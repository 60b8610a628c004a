"""The hosts: each list is a group, by a name of your own.

``group_data/GROUP.py`` has what a group overrides, and a host can have its own data. A group `canary` is deployed
to first; the others are touched when every slot there is proven. For example:

    from ollama_slots.selection import slot_models

    gpu_hosts = [
        "gpu-a.example.com",
        ("gpu-b.example.com", {"slot3_model": "mistral:7b", "slot3_num_ctx": 8192}),
        ("gpu-c.example.com", slot_models("selections/gpu-c.json")),
    ]
    canary = ["gpu-a.example.com"]
"""

# The lab's two hosts (make lab). Replace the line by groups of your own, under other names: to a group `lab`
# group_data/lab.py gives the lab's models, registry and SSH configuration.
lab = ["gpu1", "gpu2"]
