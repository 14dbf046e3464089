"""A small reverse proxy that verifies the grant in front of a system that can't."""

from placet.gateway._app import Gateway, make_app
from placet.gateway._routes import BadRoutes, Routes, read_routes
from placet.gateway._serve import serve
from placet.gateway._settings import GatewaySettings

__all__ = [
    "BadRoutes",
    "Gateway",
    "GatewaySettings",
    "Routes",
    "make_app",
    "read_routes",
    "serve",
]
