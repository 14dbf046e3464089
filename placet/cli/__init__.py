"""The ``placet`` command."""

from placet.cli._app import main
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
