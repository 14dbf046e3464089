"""The ``placet`` command."""

from placet.cli._app import main
from placet.cli._audit import print_report, print_timeline, replay_case
from placet.cli._base import CommandFailed, console, fail, failures, run, show
from placet.cli._fetch import fetch_log

__all__ = [
    "CommandFailed",
    "console",
    "fail",
    "failures",
    "fetch_log",
    "main",
    "print_report",
    "print_timeline",
    "replay_case",
    "run",
    "show",
]
