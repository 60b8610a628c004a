"""Flavours of a host: what people's machines have that the lab's hosts have not. See table.py."""
