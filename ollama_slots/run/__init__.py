"""Connect to pyinfra: a run, its hosts, the steps that are carried out on them, and what users see of it."""
