"""What models are asked, from a seed: pure, and the same for the same seed."""
