"""A framework's report tells what the ledger holds for each control, and plainly where nothing."""

from datetime import timedelta

import pytest

from placet.audit import Framework, coverage
from placet.ledger import EntryType, decode_entry
from tests.audit.recording import Recorded

IDS = {
    Framework.OWASP_NHI: [f"NHI{number}:2025" for number in range(1, 11)],
    Framework.PCI_DSS: ["7.2.5", "7.2.5.1", "8.6.1", "8.6.2", "8.6.3", "10.2.1"]
    + [f"10.2.1.{number}" for number in range(1, 8)]
    + ["10.2.2", "10.3.1", "10.3.2", "10.3.3", "10.3.4", "10.5.1"],
    Framework.EU_AI_ACT: ["Article 12", "Article 14", "Article 19", "Article 26"],
}
NHI = [
    "Improper Offboarding",
    "Secret Leakage",
    "Vulnerable Third-Party NHI",
    "Insecure Authentication",
    "Overprivileged NHI",
    "Insecure Cloud Deployment Configurations",
    "Long-Lived Secrets",
    "Environment Isolation",
    "NHI Reuse",
    "Human Use of NHI",
]


@pytest.mark.parametrize("framework", list(Framework))
def test_each_control_has_evidence_or_says_that_there_is_none(
    recorded: Recorded, framework: Framework
) -> None:
    """Every count is that of the entries; a control without any says where else to look."""
    found = coverage(recorded.files, framework)
    assert found.entries == len(recorded.files.entries)
    types = [decode_entry(each).type for each in recorded.files.entries]
    for control in found.controls:
        assert control.evidence or control.elsewhere, control.id
        assert control.own_controls == ""
        for each in control.evidence:
            assert each.entries == sum(each.types.values())
            assert each.entries == sum(types.count(EntryType(name)) for name in each.types)
            assert (each.first is None) == (each.entries == 0)


@pytest.mark.parametrize("framework", sorted(IDS))
def test_the_controls_are_those_of_the_framework(recorded: Recorded, framework: Framework) -> None:
    """By number, none left out and none invented."""
    found = coverage(recorded.files, framework)
    assert [each.id for each in found.controls] == IDS[framework]
    if framework is Framework.OWASP_NHI:
        assert [each.title for each in found.controls] == NHI


def test_a_period_without_entries_holds_nothing(recorded: Recorded) -> None:
    """Nothing from before is told as if it were of the period."""
    last = decode_entry(recorded.files.entries[-1]).time
    found = coverage(recorded.files, Framework.OWASP_NHI, since=last + timedelta(days=1))
    assert found.entries == 0
    assert all(each.held == 0 for each in found.controls)
    whole = coverage(recorded.files, Framework.OWASP_NHI, until=last + timedelta(days=1))
    assert any(each.held for each in whole.controls)


def test_no_report_says_compliant(recorded: Recorded) -> None:
    """It is evidence for a control, and no judgement."""
    for framework in Framework:
        assert "complian" not in coverage(recorded.files, framework).model_dump_json().lower()
