"""``placet policy publish`` publishes all that a process needs, or says what of it is not."""

import json
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet.cli import processes
from placet.client import AuthorityAway, OperatorClient
from placet.model import ActAnswer
from placet.process import Process
from tests.cli.conftest import Placet, Served, serving

ALL = ["process.published", "matrix.published", "policy.published"]
POLICIES = Path(__file__).parents[2] / "policies" / "loan-draw"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An authority of this module's own, on which nothing is published."""
    with serving(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The lender's policies, to be changed."""
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def change(folder: Path, **members: Any) -> None:
    """Change the matrix."""
    file = folder / "authority-matrix.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **members}))


def published(served: Served) -> list[str]:
    """What was published, as the ledger has it."""
    url = f"{served.variables['PLACET_ISSUER']}/v1/ledger/entries?from=0&limit=1000"
    types = [json.loads(each)["type"] for each in httpx.get(url).json()["entries"]]
    return [each for each in types if each in ALL]


def test_a_time_that_can_not_be_counted_is_refused_before_anything_is_published(
    alone: Served, placet: Placet, folder: Path
) -> None:
    """I12: in the matrix, which is the second that would be sent."""
    rules = json.loads((folder / "authority-matrix.json").read_text())["rules"]
    rules[0]["time"] = {"due": 60, "expires": 120, "calendar": "moon"}
    hours = [{"weekday": 1, "opens": "09:00:00", "closes": "17:00:00"}]
    moon = {"name": "moon", "zone": "Moon/Tycho", "hours": hours}
    change(folder, rules=rules, calendars=[moon])
    for command in ("check", "publish"):
        ended = placet("policy", command, str(folder), **alone.variables)
        assert ended.code == 1
        assert "Moon/Tycho" in ended.err
    assert published(alone) == []


def test_publishing_again_completes_what_was_interrupted(
    alone: Served, placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I11: whoever was interrupted is told what is published, and what nobody knows."""
    act, acts = OperatorClient.act, ["process.publish", "matrix.publish", "policy.publish"]
    sent: list[str] = []
    for after in (0, 1, 2):

        async def interrupted(self: OperatorClient, name: str, *rest: Any) -> ActAnswer:
            if name == acts[after]:  # noqa: B023 - it is called before the next one
                raise AuthorityAway("the authority does not answer")
            return await act(self, name, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(OperatorClient, "act", interrupted)
            ended = placet("policy", "publish", str(POLICIES), **alone.variables)
        assert ended.code == 3
        for number, name in enumerate(acts):
            how = "done" if number < after else "not sent"
            assert f"{name}: {'nobody knows' if number == after else how}" in ended.err
        assert ended.out.count("published already") == max(0, after - 1)
        sent += ALL[:after]
        assert published(alone) == sent
    again = placet("policy", "publish", str(POLICIES), **alone.variables)
    assert again.code == 0
    assert (again.out.count("published already"), again.out.count("not published yet")) == (2, 1)
    assert published(alone) == [*sent, *ALL]


def test_a_process_that_changed_under_its_version_is_told_in_what(
    alone: Served, placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its members; and where it is the code alone, that an upgrade of Placet may be why."""
    assert placet("policy", "publish", str(POLICIES), "--json", **alone.variables).code == 0
    wanted = Process.to_publish
    for change, said in (
        (
            {"code": "sha-256:" + "A" * 43},
            "in its workflow's code alone, of which the base class is",
        ),
        ({"code": None, "subject": "loan/{loan}/draw/{draw}/x"}, "in subject, code: raise"),
    ):
        with monkeypatch.context() as patch:
            copied = wanted(processes()["loan-draw"]).model_copy(update=change)
            patch.setattr(Process, "to_publish", lambda _, told=copied: told)
            ended = placet("policy", "publish", str(POLICIES), **alone.variables)
        assert ended.code == 1
        assert said in ended.err


def test_a_matrix_that_differs_is_refused_before_anything_is_published(
    alone: Served, placet: Placet, folder: Path
) -> None:
    """I12: under the version that is in force."""
    assert placet("policy", "publish", str(POLICIES), "--json", **alone.variables).code == 0
    before = published(alone)
    change(folder, mode="audit")
    ended = placet("policy", "publish", str(folder), **alone.variables)
    assert ended.code == 1
    assert "is in force; a new matrix has a higher version" in ended.err
    assert published(alone) == before


def test_what_a_matrix_leaves_to_nobody_is_said_and_published(
    alone: Served, placet: Placet, folder: Path
) -> None:
    """I12: it may be meant, so that it is signed; whoever opens a case is told whose doing it is."""
    resend = POLICIES.parent / "payment-resend" / "authority-matrix.json"
    rules = json.loads(Path(shutil.copy(resend, folder)).read_text())["rules"]
    change(folder, openers=[], rules=[e for e in rules if e["checkpoint"] != "call-back"])
    warnings = [
        "placet: warning: call-back: nobody can approve it, the matrix has no rule for it",
        "placet: warning: nobody can open a case: the matrix names no openers",
    ]
    ended = placet("policy", "publish", str(folder), "--json", **alone.variables)
    assert (ended.code, ended.err.splitlines()) == (0, warnings)
    file = str(folder / "authority-matrix.json")
    ended = placet("policy", "publish-matrix", file, **alone.variables)
    assert (ended.code, ended.err.splitlines()) == (0, warnings)
    which = ("--loan", "L-1", "--draw", "1", "--payment", "pay-L-1-1-P-1")
    ended = placet("case", "open", "--process", "payment-resend", *which, **alone.variables)
    said = "placet: nobody may do this: the matrix of payment-resend names no openers\n"
    assert (ended.code, ended.err) == (1, said)


def test_what_differs_of_policies_moves_no_cursor(
    alone: Served, placet: Placet, folder: Path
) -> None:
    """I12: a comment in policies that somebody sent may be meant for the terminal of who signs."""
    assert placet("policy", "publish", str(POLICIES), "--json", **alone.variables).code == 0
    file = folder / "policies.cedar"
    file.write_text(f"// \x1b[2Jnothing\x07 \u202echanged\n{file.read_text()}")
    ended = placet("policy", "publish", str(folder), **alone.variables)
    assert ended.code == 0
    assert "+// \ufffd[2Jnothing\ufffd \ufffdchanged\n" in ended.out
    assert not {"\x1b", "\x07", "\u202e"} & {*ended.out, *ended.err}


def test_the_policies_of_orders_fit_beside_the_lenders_as_the_page_puts_them(
    placet: Placet, folder: Path
) -> None:
    """I3: of both nothing is lost, and each process's steps fit the one set."""
    page = (POLICIES.parents[1] / "docs" / "how-to" / "rotate-what-others-own.md").read_text()
    (block,) = (each for each in page.split("```") if "identity:carry-out" in each)
    schema, policies = folder / "schema.cedarschema", folder / "policies.cedar"
    before, brace, nothing = schema.read_text().rpartition("}")
    assert (brace, nothing.strip()) == ("}", "")
    schema.write_text(f"{before}{block}}}\n")
    theirs = resources.files("placet.governance")
    policies.write_text(policies.read_text() + (theirs / "policies.cedar").read_text())
    assert placet("policy", "check", str(folder), "--process", "loan-draw").code == 0
    for goal in ("rotation", "offboarding"):
        matrix = (theirs / f"{goal}-matrix.json").read_text()
        (folder / "authority-matrix.json").write_text(matrix)
        ended = placet("policy", "check", str(folder), "--process", f"identity-{goal}")
        assert (ended.code, ended.err) == (0, ""), ended
