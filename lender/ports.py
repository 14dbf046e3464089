"""Ports for the parts that are started together."""

import secrets
import socket

_PORTS = range(12_000, 32_000)
"""None that Linux and macOS, left as they are, give to connections: seconds pass until a part
listens, and whose port was taken meanwhile does not start."""


class NoPorts(Exception):
    """Nearly every port is taken."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and no connection will be given.

    Raises:
        NoPorts: there are not so many.
    """
    found = list[int]()
    for port in secrets.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise NoPorts(f"of the ports {_PORTS.start} to {_PORTS.stop - 1}, {count} are not free")
