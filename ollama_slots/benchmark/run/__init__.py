"""A run on the control machine: it has hosts' models asked, grades, chooses, and writes model_selection.json."""
