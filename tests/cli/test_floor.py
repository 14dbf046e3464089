"""Every act around a checkpoint as a command: what it says, and what it does."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from placet.authority import AuthoritySettings, Store
from placet.client import OperatorClient
from placet.model import CheckpointView, EnrolIdentity
from placet.tokens import SigningKey, read_key_file, write_key_file
from tests.cli.conftest import PASSPHRASE, Ended, Placet, Served, serving
from tests.harness.crowd import Asked, put
from workflows.definition import DEFINITION

PEOPLE = {
    "ana": ("loan-officer",),
    "ben": ("loan-officer",),
    "sue": ("loan-officer", "senior-approver"),
    "aud": ("auditor",),
}
POLICIES = Path(__file__).parents[2] / "policies" / "loan-draw"


class Floor:
    """People at their command lines, and checkpoints that wait for them."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.number = 5000
        self.published = False
        self.placet: Placet

    def say(self, who: str, *arguments: str, code: int = 0, **more: str) -> Ended:
        """Run a command as someone, with these variables as well; it ends with this code."""
        own = {
            "PLACET_ISSUER": self.served.variables["PLACET_ISSUER"],
            "PLACET_OPERATOR": who,
            "PLACET_KEY_FILE": str(self.served.folder / f"{who}.pem"),
            "PLACET_PASSPHRASE": PASSPHRASE,
        }
        ended = self.placet(*arguments, **own, **more)
        assert ended.code == code, ended
        return ended

    def asked(self, **how: object) -> str:
        """A checkpoint that waits for a loan officer; its id."""
        self.number += 1
        usual = Asked(
            self.number,
            name="draw-approval",
            roles=("loan-officer",),
            subject=f"loan/L-{self.number}/draw/1",
            version=DEFINITION.version,
            now=datetime.now(UTC),
        )
        made = replace(usual, **how)  # type: ignore[arg-type]  # what a test says of it
        asyncio.run(self._put(made))
        return made.id

    async def _put(self, asked: Asked) -> None:
        own = self.served.own
        settings = AuthoritySettings(
            issuer=own["PLACET_AUTHORITY_ISSUER"],
            database_url=own["PLACET_AUTHORITY_DATABASE_URL"],
            key_passphrase=own["PLACET_AUTHORITY_KEY_PASSPHRASE"],
        )
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            await store.write(lambda tx: put(tx, asked))

    def view(self, checkpoint: str, who: str = "aud") -> CheckpointView:
        """A checkpoint as it stands."""
        key = read_key_file(self.served.folder / f"{who}.pem", PASSPHRASE)

        async def look() -> CheckpointView:
            issuer = self.served.variables["PLACET_ISSUER"]
            async with OperatorClient(issuer, f"operator:{who}", key) as client:
                return await client.checkpoint(checkpoint)

        return asyncio.run(look())


@pytest.fixture(scope="module")
def staffed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    """People with keys of their own, at an authority of their own."""
    with serving(tmp_path_factory.mktemp("floor")) as served:
        yield _staffed(served)


def _staffed(served: Served) -> Floor:
    ada = read_key_file(served.folder / "ada.pem", PASSPHRASE)

    async def enrol() -> None:
        async with OperatorClient(served.variables["PLACET_ISSUER"], "operator:ada", ada) as admin:
            for name, roles in PEOPLE.items():
                key = SigningKey.generate()
                write_key_file(served.folder / f"{name}.pem", key, PASSPHRASE)
                body = EnrolIdentity(jwk=dict(key.public.jwk()), roles=roles)
                await admin.act("operator.enrol", f"operator:{name}", body)

    asyncio.run(enrol())
    return Floor(served)


@pytest.fixture
def floor(staffed: Floor, placet: Placet) -> Floor:
    """The floor, and this test's way to run a command; its process is published once."""
    staffed.placet = placet
    if not staffed.published:
        staffed.say("ada", "policy", "publish", str(POLICIES))
        staffed.published = True
    return staffed


def test_claiming_is_told_and_taken_back(floor: Floor) -> None:
    checkpoint = floor.asked()
    floor.say("ana", "checkpoint", "claim", checkpoint)
    theirs = floor.say("ben", "checkpoint", "claim", checkpoint, code=1)
    assert "operator:ana has claimed it" in theirs.err
    floor.say("ben", "checkpoint", "unclaim", checkpoint, code=1)
    assert floor.view(checkpoint).claim is not None
    floor.say("ana", "checkpoint", "unclaim", checkpoint)
    assert floor.view(checkpoint).claim is None


def test_remarks_and_files_are_left_beside_it(floor: Floor, tmp_path: Path) -> None:
    checkpoint = floor.asked()
    floor.say("ana", "checkpoint", "comment", checkpoint, "call back at 3 pm")
    photo, empty, large = (tmp_path / each for each in ("photo.jpg", "empty.txt", "large.bin"))
    photo.write_bytes(b"a picture")
    empty.touch()
    large.write_bytes(bytes(1024 * 1024 + 1))
    floor.say("ana", "checkpoint", "attach", checkpoint, str(photo))
    assert (
        "it is empty"
        in floor.say("ana", "checkpoint", "attach", checkpoint, str(empty), code=2).err
    )
    assert (
        "larger than"
        in floor.say("ana", "checkpoint", "attach", checkpoint, str(large), code=2).err
    )
    told = [(each.text, each.name, each.media_type) for each in floor.view(checkpoint).remarks]
    assert told == [("call back at 3 pm", None, None), (None, "photo.jpg", "image/jpeg")]
    kept = str(tmp_path / "kept.jpg")
    floor.say("ana", "checkpoint", "file", checkpoint, "photo.jpg", "--save", kept)
    assert Path(kept).read_bytes() == b"a picture"
    again = floor.say("ana", "checkpoint", "file", checkpoint, "photo.jpg", "--save", kept, code=2)
    assert "is there already" in again.err
    none = floor.say("ana", "checkpoint", "file", checkpoint, "x", "--save", f"{kept}.x", code=2)
    assert "no file 'x'" in none.err
    assert "photo.jpg" in none.err


def test_a_word_is_withdrawn_and_a_conflict_is_final(floor: Floor) -> None:
    """I6: each in one's own name, and on the ledger."""
    checkpoint = floor.asked(count=2)
    wrong = floor.say("ana", "checkpoint", "approve", checkpoint, "--amount", "99.00", code=1)
    assert "--amount 100.00" in wrong.err
    floor.say("ana", "checkpoint", "approve", checkpoint, "--amount", "100.00")
    floor.say("ana", "checkpoint", "withdraw", checkpoint, "--comment", "too soon")
    floor.say("ben", "checkpoint", "abstain", checkpoint, "--comment", "my cousin's house")
    again = floor.say("ben", "checkpoint", "approve", checkpoint, "--amount", "100.00", code=1)
    assert "abstained" in again.err
    said = floor.say("ben", "checkpoint", "prospect", checkpoint)
    assert "you may not approve: you have abstained, which is final" in said.out
    said = floor.say("ana", "checkpoint", "prospect", checkpoint)
    assert "you may approve" in said.out
    floor.say("ana", "checkpoint", "reject", checkpoint, "--reason-code", "other")
    assert floor.view(checkpoint).status == "rejected"
    proof = floor.say("aud", "checkpoint", "proof", checkpoint)
    assert "operator:ben said abstain: its person stands aside" in proof.out


def test_a_hold_is_told_wherever_a_case_is(floor: Floor) -> None:
    checkpoint = floor.asked()
    view = floor.view(checkpoint)
    loan = view.subject.partition("/draw/")[0]
    of_it = ("--record", view.subject)
    commands = (
        ("case", "show", view.case),
        ("case", "list", *of_it),
        ("checkpoint", "list", *of_it),
    )
    assert not [each for each in commands if "hold" in floor.say("aud", *each).out]
    floor.say("ada", "case", "hold", loan, "--reason", "a dispute")
    case, cases, asked = [floor.say("aud", *each).out for each in commands]
    assert f"held_on  {loan}; nothing guarded happens until that is lifted\n" in case
    for rows in (cases, asked):
        names, row = rows.splitlines()
        assert row[names.index("held_on") :].split()[0] == loan
    narrow = floor.say("aud", *commands[-1], COLUMNS="60").out
    assert f"    on hold: {loan}\n" in narrow
    floor.say("ada", "case", "lift", loan, "--reason", "settled")


def test_an_emergency_is_told_in_the_list_of_what_waits(floor: Floor, tmp_path: Path) -> None:
    """It ends long before the row is due, and read as any other row."""
    rules = tmp_path / "governance.json"
    needs = [{"roles": ["loan-officer"], "count": 2}]
    path = {"needs": needs, "seconds": 3600, "reviewers": ["auditor"]}
    rules.write_text(json.dumps({"version": 1, "break_glass": path}))
    floor.say("ada", "governance", "publish", str(rules))
    before = floor.asked()
    listed = ("checkpoint", "list", "--record", floor.view(before).subject)
    assert "mergency" not in floor.say("aud", *listed).out
    begin = ("emergency", "begin", before, "--reason", "the site floods", "--json")
    asked = json.loads(floor.say("ana", *begin).out)["target"]
    (line,) = json.loads(floor.say("aud", *listed, "--json").out)
    assert line["id"] == asked
    until = f"{datetime.fromisoformat(line['emergency_until']):%Y-%m-%d %H:%MZ}"
    names, row = floor.say("aud", *listed).out.splitlines()
    assert row[names.index("emergency_until") :].startswith(until)
    assert f"    EMERGENCY until {until}\n" in floor.say("aud", *listed, COLUMNS="60").out


def test_why_an_exception_was_accepted_is_shown_and_proven(floor: Floor) -> None:
    """I6: the next person reads whose exception it is, and the reason that they signed."""
    checkpoint = floor.asked(count=2, severities=("blocking",), excepting=True)
    (finding,) = floor.view(checkpoint).requirement.exceptions
    approve = ("checkpoint", "approve", checkpoint, "--amount", "100.00", "--accept")
    floor.say("ana", *approve, f"{finding}=at first sight")
    floor.say("ana", "checkpoint", "withdraw", checkpoint)
    floor.say("ana", *approve, f"{finding}=the [title] is later")
    proof = floor.say("aud", "checkpoint", "proof", checkpoint)
    why = "operator:ana: the [title] is later"
    assert f"exception {finding}: accepted by {why}\n" in proof.out
    told = json.loads(floor.say("aud", "checkpoint", "proof", checkpoint, "--json").out)
    (accepted,) = told["exceptions"]
    assert accepted["reasons"] == ["the [title] is later"]
    story = floor.say("aud", "audit", "timeline", floor.view(checkpoint).case).out
    (first, later) = (each for each in story.splitlines() if " approve as " in each)
    assert first.endswith(f"; accepts {finding}: at first sight")
    assert "operator:ana" in later
    assert later.endswith(f"; accepts {finding}: the [title] is later")


def test_who_may_approve_is_told_of_a_hold_before(floor: Floor) -> None:
    """What is approved under a hold ends refused, and every approval of it is void."""
    checkpoint = floor.asked()
    above = floor.view(checkpoint).subject.partition("/draw/")[0]
    assert "hold" not in floor.say("ana", "checkpoint", "prospect", checkpoint).out
    floor.say("ana", "case", "hold", above, "--reason", "fire")
    said = floor.say("ana", "checkpoint", "prospect", checkpoint)
    assert f"on hold: {above}; nothing guarded happens until that is lifted\n" in said.out
    assert "you may approve" in said.out
    found = json.loads(floor.say("ana", "checkpoint", "prospect", checkpoint, "--json").out)
    assert found["held_on"] == above
    floor.say("ana", "case", "lift", above, "--reason", "it is out")
    assert "hold" not in floor.say("ana", "checkpoint", "prospect", checkpoint).out


def test_an_administrator_recalls_and_nobody_else(floor: Floor) -> None:
    checkpoint = floor.asked()
    reason = ("--reason", "the wrong packet")
    floor.say("ana", "checkpoint", "recall", checkpoint, *reason, code=1)
    floor.say("ada", "checkpoint", "recall", checkpoint, *reason)
    assert floor.view(checkpoint).status == "voided"


def test_who_is_away_is_stood_in_for_by_their_like_until_they_end_it(floor: Floor) -> None:
    """I6: what waited for the one who is away waits for whoever stands in, without more."""
    checkpoint = floor.asked()
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    away = ("--until", until, "--reason", "on leave")
    lesser = floor.say("sue", "checkpoint", "delegate", "ana", *away, code=1)
    assert "not the same authority" in lesser.err
    over = ("--until", "2026-01-01T00:00:00Z", "--reason", "on leave")
    ended = floor.say("ana", "checkpoint", "delegate", "sue", *over, code=2)
    assert ended.err == "placet: --until: that is over before it begins\n"
    given = json.loads(floor.say("ana", "checkpoint", "delegate", "sue", *away, "--json").out)
    assert given["target"] == "operator:sue"
    (held,) = json.loads(floor.say("sue", "checkpoint", "delegations", "--json").out)
    assert (held["giver"], held["delegate"]) == ("operator:ana", "operator:sue")
    mine = {
        who: {
            each["id"]
            for each in json.loads(floor.say(who, "checkpoint", "list", "--mine", "--json").out)
        }
        for who in ("ana", "sue")
    }
    assert checkpoint in mine["ana"] <= mine["sue"]
    stands_in = ("--amount", "100.00", "--stands-in-for", "ana")
    floor.say("sue", "checkpoint", "approve", checkpoint, *stands_in)
    floor.say("ben", "checkpoint", "undelegate", held["act"], code=1)
    floor.say("ana", "checkpoint", "undelegate", held["act"])
    late = floor.say("sue", "checkpoint", "approve", floor.asked(), *stands_in, code=1)
    assert "handed over" in late.err


@pytest.mark.parametrize("begin", ["-", "--"])
@pytest.mark.parametrize(
    "words",
    [
        ("act", "show"),
        ("act", "countersign"),
        ("act", "withdraw"),
        ("checkpoint", "undelegate"),
        *((kind, "revoke-key") for kind in ("agent", "operator", "system")),
    ],
    ids=" ".join,
)
def test_an_id_that_begins_with_a_hyphen_is_no_option(
    floor: Floor, words: tuple[str, str], begin: str
) -> None:
    """An act's id and a thumbprint are base64url: one in 64 begins so, a stolen key's as well."""
    length = 43 if "revoke-key" in words else 24
    why = ("--reason", "stolen") if words[1] in ("withdraw", "revoke-key") else ()
    who = "ada" if words[0] != "checkpoint" else "ana"
    asked = floor.say(who, *words, begin.ljust(length, "h"), *why, code=1)
    assert asked.err.startswith("placet: refused: ") and " no " in asked.err
    mistyped = floor.say(who, *words, begin.ljust(length, "h"), "--josn", *why, code=2)
    assert "--josn" in mistyped.err


def test_many_are_approved_at_once_and_the_report_tells_who_was_hasty(floor: Floor) -> None:
    """I6: each signed on its own evidence; their sum is said, and wrong it is refused."""
    several = [floor.asked() for _ in range(3)]
    wrong = floor.say("ana", "checkpoint", "approve-many", *several, "--total", "299.99", code=1)
    assert "they come to 300.00" in wrong.err
    done = floor.say("ana", "checkpoint", "approve-many", *several, "--total", "300.00")
    assert done.out.count("is recorded as entry") == len(several)
    assert {floor.view(each).status.value for each in several} == {"approved"}
    again = floor.say("ben", "checkpoint", "approve-many", *several, "--total", "300.00", code=1)
    assert "not all of them were recorded" in again.err
    report = floor.say("aud", "checkpoint", "report", "--hasty", "3600")
    assert all(f"hasty  hasty  operator:ana  {each}" in report.out for each in several)


@pytest.mark.parametrize("word", ["approve", "reject", "return", "abstain", "withdraw"])
def test_what_was_read_is_what_is_signed_or_nothing(floor: Floor, word: str) -> None:
    """I6: with another evidence than the one that was read nothing is sent, whichever the word."""
    first, second = floor.asked(count=2), floor.asked(count=2)
    read = floor.view(first).evidence_digest
    amount, why = ("--amount", "100.00"), ("--reason-code", "inspection")
    more = {"approve": amount, "reject": why, "return": why}.get(word, ())
    if word == "withdraw":
        for each in (first, second):
            floor.say("ana", "checkpoint", "approve", each, *amount)
    before = floor.view(second)
    for digest, code, refusal in ((read, 1, "not what you read"), (read[:-1], 2, "is no digest")):
        pinned = ("--evidence", digest)
        wrong = floor.say("ana", "checkpoint", word, second, *more, *pinned, code=code)
        assert refusal in wrong.err
    assert floor.view(second) == before
    floor.say("ana", "checkpoint", word, first, *more, "--evidence", read)


@pytest.mark.parametrize("word", ["approve-many", "reject-many", "return-many"])
def test_what_was_read_of_many_is_what_is_signed_or_nothing(floor: Floor, word: str) -> None:
    """I6: one that is another than was read, and nothing is sent; in whatever order they stand."""
    several = [floor.asked(count=2) for _ in range(3)]
    read = [floor.view(each).evidence_digest for each in several]
    total, why = ("--total", "200.00"), ("--reason-code", "inspection")
    said = ("checkpoint", word, *several[:2], *(total if word == "approve-many" else why))
    before = [floor.view(each) for each in several]
    for digests, code, refusal in (
        (read[1:], 1, f"placet checkpoint show {several[0]}"),
        (read[:1], 1, f"placet checkpoint show {several[1]}"),
        (read, 2, "one is of none of these"),
        ([read[0], read[1][:-1]], 2, "is no digest"),
    ):
        pinned = [part for each in digests for part in ("--evidence", each)]
        assert refusal in floor.say("ana", *said, *pinned, code=code).err
    assert [floor.view(each) for each in several] == before
    floor.say("ana", *said, "--evidence", read[1], "--evidence", read[0])


def test_a_refusal_is_in_words_and_has_its_codes_for_a_program(floor: Floor) -> None:
    """I6: what a person reads names no rule by its id."""
    turned = ("checkpoint", "return", floor.asked())
    said = floor.say("ana", *turned, code=1).err
    assert said == "placet: refused: a return needs a question: a reason code or a comment\n"
    assert "[I6, no_question]" in floor.say("ana", *turned, "--json", code=1).err


def test_many_are_turned_back_at_once_for_one_reason(floor: Floor) -> None:
    """I6: each signed on its own evidence; without a reason none is."""
    rejected, returned = [floor.asked() for _ in range(2)], [floor.asked()]
    why = ("--reason-code", "inspection", "--comment", "the roof is not there")
    said = floor.say("ana", "checkpoint", "reject-many", *rejected, code=2)
    assert "--reason-code" in said.err
    done = floor.say("ana", "checkpoint", "reject-many", *rejected, *why)
    assert done.out.count("and rejected") == len(rejected)
    assert {floor.view(each).status.value for each in rejected} == {"rejected"}
    asked = floor.say("ana", "checkpoint", "return-many", *returned, *why)
    assert "and returned" in asked.out
    mixed = floor.say("ben", "checkpoint", "reject-many", *rejected, floor.asked(), *why, code=1)
    assert mixed.out.count("is refused") == len(rejected)
    assert "not all of them were recorded" in mixed.err


def test_a_hold_is_placed_and_lifted(floor: Floor) -> None:
    record, reason = "loan/L-9000", ("--reason", "a lien was recorded")
    floor.say("ana", "case", "hold", record, *reason)
    assert floor.say("ben", "case", "hold", record, *reason, code=1).err
    lift = ("case", "lift", record, "--reason", "it was released")
    assert "administrator" in floor.say("ben", *lift, code=1).err
    floor.say("ana", *lift)


def test_lists_are_narrowed_by_the_server_and_say_what_they_left_out(floor: Floor) -> None:
    """What waits is found without reading all of it, and nobody takes a part for the whole."""
    for number, severities in ((1, ("blocking",)), (2, ())):
        floor.asked(subject=f"loan/L-LIST/draw/{number}", severities=severities)
    ours = ("--record", "loan/L-LIST")
    both = floor.say("ben", "checkpoint", "list", *ours, "--json")
    assert (len(json.loads(both.out)), both.err) == (2, "")
    one = floor.say("ben", "checkpoint", "list", *ours, "--limit", "1", "--json")
    assert len(json.loads(one.out)) == 1
    assert "more than these 1" in one.err
    narrow = floor.say("ben", "checkpoint", "list", *ours, COLUMNS="80")
    assert all(len(line) <= 80 for line in narrow.out.splitlines())
    assert "loan/L-LIST/draw/2 · 100.00" in narrow.out
    grave = floor.say("ben", "checkpoint", "list", *ours, "--gravest", "blocking", "--json")
    assert [each["subject"] for each in json.loads(grave.out)] == ["loan/L-LIST/draw/1"]
    groups = floor.say("ben", "checkpoint", "groups", "--by", "findings", *ours, "--json")
    assert sum(each["count"]["count"] for each in json.loads(groups.out)) == 2
    cases = floor.say("ben", "case", "list", *ours, "--limit", "1", "--json")
    assert len(json.loads(cases.out)) == 1
    assert "more than these 1" in cases.err
    assert floor.say("ben", "case", "list", "--limit", "0", code=2).err


def test_what_is_keyed_or_lowered_wrong_is_refused_before_it_is_signed(floor: Floor) -> None:
    """I12: a usage error names what was wrong."""
    checkpoint = floor.asked()
    key = ("checkpoint", "key", checkpoint, "--document", "a.xlsx")
    for arguments, why in (
        ((*key, "--value", "1.00"), "give --field, or --spot"),
        ((*key, "--value", "1", "--value", "2", "--field", "title.effective"), "as many"),
        ((*key, "--value", "1", "--spot", "A1", "--field", "no field"), "field"),
        (("checkpoint", "lower", checkpoint, "--row", "4=1.00", "--amount", "9"), "ITEM=AMOUNT"),
    ):
        assert why in floor.say("ana", *arguments, code=2).err
    nobody = floor.say("aud", *key, "--value", "1.00", "--spot", "A1", code=1)
    assert "needs the role" in nobody.err


def test_a_matrix_is_published_alone_and_changes_nothing_that_is_open(
    floor: Floor, tmp_path: Path
) -> None:
    """A signed act of an administrator: what changes is shown before."""
    checkpoint = floor.asked()
    before = floor.view(checkpoint).requirement_digest
    matrix = json.loads((POLICIES / "authority-matrix.json").read_text())
    file = tmp_path / "matrix.json"
    file.write_text(json.dumps({**matrix, "version": matrix["version"] + 1, "mode": "audit"}))
    floor.say("ana", "policy", "publish-matrix", str(file), code=1)
    said = floor.say("ada", "policy", "publish-matrix", str(file))
    assert '"mode": "audit"' in said.out
    file.write_text(json.dumps({**matrix, "version": matrix["version"] + 1, "mode": "automatic"}))
    assert floor.say("ada", "policy", "publish-matrix", str(file), code=1).err
    file.write_text("{}")
    assert "process" in floor.say("ada", "policy", "publish-matrix", str(file), code=2).err
    assert floor.view(checkpoint).requirement_digest == before
