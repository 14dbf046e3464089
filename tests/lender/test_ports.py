"""The ports of parts that are started together."""

import socket

import pytest

from lender import ports
from lender.ports import NoPorts, free_ports

BY_ITSELF = {"Linux": 32_768, "macOS": 49_152}
"""Where the ports begin that a system gives to connections."""


def test_no_connection_is_given_a_port_before_its_part_listens() -> None:
    """I12: seconds pass until then, and a part whose port was taken meanwhile ends the start."""
    found = free_ports(1000)
    assert len(set(found)) == 1000
    assert max(found) < min(BY_ITSELF.values())


def test_what_is_taken_is_left_out_and_too_few_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """I12: in words."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(port, port + 1))
        with pytest.raises(NoPorts, match=f"of the ports {port} to {port}, 1 are not free"):
            free_ports(1)
    assert free_ports(1) == [port]
