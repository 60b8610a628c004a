"""Ask registries from the control machine, and fill the mirror from them."""
