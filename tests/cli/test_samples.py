"""``placet packet samples``: each packet on disk says what its name says, checked with its loan."""

import json
from pathlib import Path

import pytest

from lender.sample_folder import write_samples
from lender.samples import Sample, catalog
from tests.cli.conftest import Placet

FUNDING = "2026-11-30"
_ELSEWHERE = "payee.screened"
"""What the compliance database alone knows: with nothing running it is never determined."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all: a loan's later packets rest on its earlier ones."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder)
    return folder


def _findings(placet: Placet, packet: Path, loan: Path) -> set[str]:
    ended = placet(
        "packet", "check", str(packet), "--loan", str(loan), "--funding", FUNDING, "--json"
    )
    assert ended.code in {0, 1}, ended
    found = json.loads(ended.out)["results"]
    return {
        each["check"] for each in found for one in each["findings"] if one["severity"] != "info"
    }


@pytest.mark.parametrize("sample", catalog(), ids=lambda sample: sample.name)
def test_each_says_what_its_name_says(placet: Placet, written: Path, sample: Sample) -> None:
    """Draws in sequence continue each other to the cent."""
    loan = written / f"{sample.name}.json"
    found = _findings(placet, written / sample.name, loan)
    assert _ELSEWHERE in found
    if sample.finding is None:
        assert found == {_ELSEWHERE}
    else:
        assert sample.finding in found


def test_a_later_draw_is_of_the_loan_as_the_draw_before_it_left_it(written: Path) -> None:
    def paid(name: str) -> list[str]:
        loan = json.loads((written / f"{name}.json").read_text())
        return [each["disbursed"] for each in loan["prior_draws"]]

    assert paid("L-1001") == paid("small-clean") == []
    assert paid("small-second-draw-csv") == ["28454.98"]
    assert paid("bank-account-changed") == ["290581.61"]
    assert paid("clean-after-all") == paid("defect-loan-open") == []
    assert paid("defect-waivers-previous") == ["41811.72"]


def test_the_command_writes_a_packet_for_each_and_a_loan_beside_it(
    placet: Placet, tmp_path: Path
) -> None:
    ended = placet("packet", "samples", "all")
    assert ended.code == 0, ended
    names = {each.name for each in catalog()}
    assert {each.name for each in (tmp_path / "all").iterdir() if each.is_dir()} == names
    loans = {each.stem for each in (tmp_path / "all").glob("*.json")}
    assert loans == names | {"L-1001", "L-1002", "L-1003"}
