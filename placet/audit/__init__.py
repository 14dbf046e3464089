"""What an auditor runs: verify, replay, timeline, bundles, backtest. Plain files, offline."""

from placet.audit._approvals import ApprovalChange, ApprovalsAgain, approvals_again
from placet.audit._backtest import Backtest, Change, backtest
from placet.audit._bundle import REPORT, Bundle, BundleError
from placet.audit._coverage import ControlCoverage, Coverage, EvidenceFor, coverage
from placet.audit._crew import CASE_LIMIT, replay_many
from placet.audit._files import ActFile, Kept, LogFiles
from placet.audit._flight import Changed, DecisionFrame, Flight, Frame, GrantFrame
from placet.audit._frameworks import Framework
from placet.audit._log_proof import log_proof, verify_log_proof
from placet.audit._oversight import (
    HASTY_SECONDS,
    OverseenDecision,
    Oversight,
    PersonOverseen,
    oversight,
)
from placet.audit._past import HEADS
from placet.audit._population import CaseLine, Population, population, sample
from placet.audit._read_bundle import read_bundle
from placet.audit._recorder import record_flight
from placet.audit._replay import replay
from placet.audit._report import Report, Trouble, Unchecked, spelled
from placet.audit._rerun import workflow_runner
from placet.audit._select import head_size, prove, select
from placet.audit._timeline import Moment, timeline
from placet.audit._verify import verify
from placet.audit._verify_bundle import verify_bundle
from placet.audit._write_bundle import write_bundle
from placet.audit._zip import MAX_BUNDLE_BYTES

__all__ = [
    "CASE_LIMIT",
    "HASTY_SECONDS",
    "HEADS",
    "MAX_BUNDLE_BYTES",
    "REPORT",
    "ActFile",
    "ApprovalChange",
    "ApprovalsAgain",
    "Backtest",
    "Bundle",
    "BundleError",
    "CaseLine",
    "Change",
    "Changed",
    "ControlCoverage",
    "Coverage",
    "DecisionFrame",
    "EvidenceFor",
    "Flight",
    "Frame",
    "Framework",
    "GrantFrame",
    "Kept",
    "LogFiles",
    "Moment",
    "OverseenDecision",
    "Oversight",
    "PersonOverseen",
    "Population",
    "Report",
    "Trouble",
    "Unchecked",
    "approvals_again",
    "backtest",
    "coverage",
    "head_size",
    "log_proof",
    "oversight",
    "population",
    "prove",
    "read_bundle",
    "record_flight",
    "replay",
    "replay_many",
    "sample",
    "select",
    "spelled",
    "timeline",
    "verify",
    "verify_bundle",
    "verify_log_proof",
    "workflow_runner",
    "write_bundle",
]
