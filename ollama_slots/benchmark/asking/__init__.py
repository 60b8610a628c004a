"""How models are asked: requests, answers, and the file in which these are kept."""
