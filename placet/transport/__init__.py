"""How processes speak with each other: TLS by setting, and a server that bounds what it reads."""

from placet.transport._http import HEAD_SECONDS, MAX_HEAD, server_config
from placet.transport._rates import Buckets
from placet.transport._settings import TemporalTlsSettings, TlsSettings
from placet.transport._tls import BadTls, Transport, temporal_tls

__all__ = [
    "HEAD_SECONDS",
    "MAX_HEAD",
    "BadTls",
    "Buckets",
    "TemporalTlsSettings",
    "TlsSettings",
    "Transport",
    "server_config",
    "temporal_tls",
]
