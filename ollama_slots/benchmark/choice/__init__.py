"""Which models get the slots, from what was measured. Pure: nothing here asks, reads or writes."""
