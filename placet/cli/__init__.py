"""The ``placet`` command, and what packages that bring commands of their own need.

All but ``main`` is loaded when it is first asked for: an auditor's machine has no server.
"""

import importlib
from typing import TYPE_CHECKING, Any

from placet.cli._main import main

if TYPE_CHECKING:
    from placet.cli._audit import print_report, print_timeline, replay_case
    from placet.cli._base import (
        AWAY,
        REFUSED,
        USAGE,
        CommandFailed,
        console,
        data_folder,
        fail,
        failures,
        load_settings,
        run,
        show,
    )
    from placet.cli._fetch import fetch_log

__all__ = [
    "AWAY",
    "REFUSED",
    "USAGE",
    "CommandFailed",
    "console",
    "data_folder",
    "fail",
    "failures",
    "fetch_log",
    "load_settings",
    "main",
    "print_report",
    "print_timeline",
    "replay_case",
    "run",
    "show",
]
_OF_AUDIT = {"print_report", "print_timeline", "replay_case"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    part = "_audit" if name in _OF_AUDIT else "_fetch" if name == "fetch_log" else "_base"
    return getattr(importlib.import_module(f"placet.cli.{part}"), name)
