"""Normalise the address at which Ollama is asked."""

from __future__ import annotations

import re
from ipaddress import ip_address


def _parts(url: str) -> tuple[str, str]:
    """Return the host of a URL, and its port with the colon."""
    host, port = re.fullmatch(r"http://(\[.*\]|[^:]*)((?::[0-9]+)?)", url).groups()  # type: ignore[union-attr]
    return host.strip("[]"), port


def numeric(url: str, answered: str | None = None) -> str | None:
    """Return a URL with a number for its host, an IPv6 one in its short form; None where that is not known.

    + answered: the number at which a host with a name answered
    """
    host, port = _parts(url)
    for number in (host, answered or ""):
        try:
            address = ip_address(number)
        except ValueError:  # a name, or nothing
            continue
        return f"http://[{address}]{port}" if address.version == 6 else f"http://{address}{port}"
    return None


def beyond_loopback(url: str) -> str | None:
    """Return the number of a URL's host, where that is not one of loopback's."""
    address = ip_address(_parts(url)[0])
    return None if address.is_loopback or address.is_unspecified else str(address)
