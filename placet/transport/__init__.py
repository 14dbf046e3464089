"""How processes speak with each other: TLS by setting, and a server that bounds what it reads.

The server's part is loaded when it is first asked for: a client needs none.
"""

import importlib
from typing import TYPE_CHECKING, Any

from placet.transport._loop import run_long
from placet.transport._rates import Buckets, seconds_to_wait
from placet.transport._settings import TemporalTlsSettings, TlsSettings
from placet.transport._tls import BadTls, Transport, temporal_tls
from placet.transport._unheard import over_tls

if TYPE_CHECKING:
    from placet.transport._http import HEAD_SECONDS, MAX_HEAD, server_config
    from placet.transport._serving import STOP_SECONDS, Serving, bind, serve_until_told

__all__ = [
    "HEAD_SECONDS",
    "MAX_HEAD",
    "STOP_SECONDS",
    "BadTls",
    "Buckets",
    "Serving",
    "TemporalTlsSettings",
    "TlsSettings",
    "Transport",
    "bind",
    "over_tls",
    "run_long",
    "seconds_to_wait",
    "serve_until_told",
    "server_config",
    "temporal_tls",
]

_SERVING = frozenset({"STOP_SECONDS", "Serving", "bind", "serve_until_told"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "_serving" if name in _SERVING else "_http"
    return getattr(importlib.import_module(f"placet.transport.{home}"), name)
