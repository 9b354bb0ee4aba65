"""How often a client may ask, with a clock that the test turns."""

from dataclasses import dataclass

import pytest

from rag.chat import limits
from rag.chat.limits import Limiter, is_loopback, network


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    limiter = Limiter(local=6000, remote=60, clock=clock)
    assert [limiter.wait("203.0.113.5") for _ in range(30)] == [0.0] * 30
    assert limiter.wait("203.0.113.5") == pytest.approx(1.0)
    clock.now += 1.0
    assert limiter.wait("203.0.113.5") == 0.0
    assert limiter.wait("203.0.113.5") > 0


def test_refused_requests_cost_nothing() -> None:
    clock = Clock()
    limiter = Limiter(local=6000, remote=60, clock=clock)
    for _ in range(1000):
        limiter.wait("203.0.113.5")
    clock.now += 1.0
    assert limiter.wait("203.0.113.5") == 0.0


def test_clients_do_not_share_a_bucket_and_this_machine_has_a_larger_one() -> None:
    limiter = Limiter(local=6000, remote=60, clock=Clock())
    for _ in range(31):
        limiter.wait("203.0.113.5")
    assert limiter.wait("203.0.113.5") > 0
    assert limiter.wait("203.0.113.6") == 0.0
    assert all(limiter.wait("127.0.0.1") == 0.0 for _ in range(3000))


def test_an_ipv6_network_is_one_client() -> None:
    limiter = Limiter(local=6000, remote=60, clock=Clock())
    waits = [limiter.wait(f"2001:db8::{number:x}") for number in range(40)]
    assert waits[:30] == [0.0] * 30
    assert min(waits[30:]) > 0
    assert limiter.wait("2001:db8:0:1::1") == 0.0


def test_silent_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CLIENTS", 3)
    limiter = Limiter(local=6000, remote=60, clock=Clock())
    for number in range(100):
        limiter.wait(f"203.0.113.{number}")
    assert len(limiter._buckets) == 3


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8::1", "2001:db8::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_what_one_client_has(address: str, client: str) -> None:
    assert network(address) == client


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.8.8"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", "", "127.0.0.1.example.org"])
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)
