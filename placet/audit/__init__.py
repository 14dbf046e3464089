"""What an auditor runs: verify, replay, timeline. Works on plain files, offline."""

from placet.audit._files import ActFile, ArchiveFile, Kept, LogFiles
from placet.audit._replay import replay, workflow_runner
from placet.audit._report import Report, Trouble
from placet.audit._timeline import Moment, timeline
from placet.audit._verify import log_verifier, verify

__all__ = [
    "ActFile",
    "ArchiveFile",
    "Kept",
    "LogFiles",
    "Moment",
    "Report",
    "Trouble",
    "log_verifier",
    "replay",
    "timeline",
    "verify",
    "workflow_runner",
]
