"""``make powercut``: the power of one of the lab's hosts is cut at moments of a deploy, and comes back."""
