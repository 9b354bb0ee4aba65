"""How often a client may ask: a bucket of tokens each that fills up again steadily."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CLIENTS = 10_000
"""Clients that are remembered; the one that has been silent for longest is forgotten first."""


class Limiter:
    """Not thread-safe: it belongs to the server's loop.

    Args:
        local: requests a minute of a client on this machine.
        remote: requests a minute of any other.
        clock: seconds that only go forward.
    """

    def __init__(self, local: int, remote: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._local, self._remote = local, remote
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Take a token: 0 if there was one, otherwise the seconds until there will be."""
        a_minute = self._local if is_loopback(address) else self._remote
        most, a_second = max(1.0, a_minute / 2), a_minute / 60
        now = self._clock()
        client = network(address)
        tokens, at = self._buckets.pop(client, (most, now))
        tokens = min(most, tokens + (now - at) * a_second)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / a_second


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def network(address: str) -> str:
    """What one client has: an IPv4 address, or the /64 of an IPv6 one, of which it could use any."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address
