"""The edge to registries, from the control machine: what they have, and the mirror that is filled from them."""
