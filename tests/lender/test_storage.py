"""Document storage: what is a packet, what is none, and that reading one loads no more than asked."""

import asyncio
import base64
import os
import socket
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import event

from lender import _folders, storage
from lender._service import Failure
from placet.model import digest_bytes
from tests.lender.lending import DRAW, LOAN, STAFF, Lending, require_problem

SYSTEMS = ("document-storage",)
PACKET = f"{DRAW}/packet"
PATH = f"/loans/{LOAN}/draws/1/packet"


async def _upload(
    bank: Lending, files: dict[str, bytes], *, loan: str = LOAN, token: str = STAFF
) -> httpx.Response:
    return await bank.http.put(
        f"{bank.urls['document-storage']}/staff/loans/{loan}/draws/1/packet",
        json={
            "files": {name: base64.b64encode(content).decode() for name, content in files.items()}
        },
        headers={"Authorization": f"Staff {token}"},
    )


async def _get(bank: Lending, path: str) -> httpx.Response:
    return await bank.call(
        "GET", path, action="packet:read", record=PACKET, system="document-storage"
    )


async def test_a_packet_is_read_as_it_was_put(either: Lending) -> None:
    """Names, sizes, digests and bytes; a new version takes its place, and the old one stays."""
    assert (await _upload(either, {"b.pdf": b"%PDF-b", "a.csv": b""})).json() == {"version": 1}
    manifest = (await _get(either, PATH)).json()
    assert manifest == {
        "version": 1,
        "files": [
            {"name": "a.csv", "size": 0, "digest": digest_bytes(b"")},
            {"name": "b.pdf", "size": 6, "digest": digest_bytes(b"%PDF-b")},
        ],
    }
    assert (await _upload(either, {"b.pdf": b"%PDF-c"})).json() == {"version": 2}
    assert (await _get(either, PATH)).json()["version"] == 2
    assert (await _get(either, f"{PATH}/1/b.pdf")).content == b"%PDF-b"
    assert (await _get(either, f"{PATH}/2/b.pdf")).content == b"%PDF-c"


_NAMES = (
    "pay application 3.xlsx",
    "100% complete.pdf",
    "%41.pdf",
    "r\u00e9tention (unterlagen) \u2013 \u043d\u0430.pdf",
    "a+b&c=d;e,f's!@$~*.pdf",
    "what?.pdf",
    "no #7.pdf",
    "<b>bold.pdf",
    "..pdf",
)


async def test_a_file_of_any_name_is_read(bank: Lending, subtests: pytest.Subtests) -> None:
    """A proof covers the address as it was sent: no name that people use is refused."""
    assert (await _upload(bank, {name: name.encode() for name in _NAMES})).status_code == 200
    for name in _NAMES:
        with subtests.test(name):
            answer = await _get(bank, f"{PATH}/1/{quote(name, safe='')}")
            assert answer.status_code == 200, answer.text
            assert answer.content == name.encode()


async def test_a_proof_for_one_name_is_none_for_another(bank: Lending) -> None:
    """Two addresses that decode to one are two: the proof is for what was sent."""
    await _upload(bank, {"%41.pdf": b"secret", "A.pdf": b"open"})
    token = bank.authority.sign(bank.agent, "packet:read", PACKET, system="document-storage")
    base = bank.urls["document-storage"]
    proof = bank.proof("GET", f"{base}{PATH}/1/A.pdf", token)
    answer = await bank.call(
        "GET", f"{PATH}/1/%2541.pdf", system="document-storage", token=token, proof=proof
    )
    require_problem(answer, 401, "invalid_dpop_proof", "htu")


async def test_the_manifest_loads_no_file(bank: Lending) -> None:
    """A packet may have a hundred megabytes; its list of names has none."""
    await _upload(bank, {"large.pdf": b"x" * 1_000_000})
    asked: list[str] = []
    engine = bank.databases["document-storage"].engine
    event.listen(engine, "before_cursor_execute", lambda *a: asked.append(str(a[2])))
    assert (await _get(bank, PATH)).status_code == 200
    assert (await _upload(bank, {"small.pdf": b"x"})).status_code == 200
    selects = [each for each in asked if each.lstrip().startswith("SELECT")]
    assert selects
    assert not [each for each in selects if "content" in each]


_REFUSED: dict[str, tuple[dict[str, bytes], int, str]] = {
    "empty": ({}, 400, "1 to 200 files"),
    "too-many": ({f"{n}.pdf": b"" for n in range(201)}, 400, "1 to 200 files"),
    "a-path": ({"../a.pdf": b""}, 400, "no name"),
    "a-windows-path": ({"..\\a.pdf": b""}, 400, "no name"),
    "the-folder": ({".": b""}, 400, "no name"),
    "the-folder-above": ({"..": b""}, 400, "no name"),
    "no-name": ({"": b""}, 400, "no name"),
    "a-long-name": ({"a" * 201: b""}, 400, "no name"),
    "a-line-break": ({"a\nb": b""}, 400, "no name"),
    "a-trailing-line-break": ({"a\n": b""}, 400, "no name"),
    "a-nul": ({"a\x00b": b""}, 400, "no name"),
}


async def test_what_is_no_packet_is_refused_whole(
    either: Lending, subtests: pytest.Subtests
) -> None:
    """I12: nothing of it is stored."""
    for name, (files, status, said) in _REFUSED.items():
        with subtests.test(name):
            both = files and {"good.pdf": b"%PDF-", **files}
            require_problem(await _upload(either, both), status, "invalid_request", said)
            require_problem(await _get(either, PATH), 404, "not_found")


async def test_sizes_have_limits(bank: Lending, monkeypatch: pytest.MonkeyPatch) -> None:
    """I12: one file, and all of them together."""
    monkeypatch.setattr(storage, "MAX_FILE", 100)
    monkeypatch.setattr(storage, "MAX_PACKET", 250)
    assert (await _upload(bank, {f"{n}": b"x" * 100 for n in range(2)})).status_code == 200
    answer = await _upload(bank, {"one.pdf": b"x" * 101})
    require_problem(answer, 413, "invalid_request", "one.pdf is larger than 100 bytes")
    answer = await _upload(bank, {f"{n}": b"x" * 100 for n in range(3)})
    require_problem(answer, 413, "invalid_request", "the packet is larger than 250 bytes")
    monkeypatch.setattr(storage, "MAX_UPLOAD", 100)
    answer = await _upload(bank, {"one.pdf": b"x" * 100})
    require_problem(answer, 413, "invalid_request", "the body is larger than 100 bytes")
    assert (await _get(bank, PATH)).json()["version"] == 1


async def test_only_the_staff_put_packets(bank: Lending) -> None:
    """I2: neither a stranger nor an agent's grant writes a packet."""
    require_problem(await _upload(bank, {"a.pdf": b""}, token="guess"), 401, "invalid_token")
    answer = await bank.call(
        "PUT", f"/staff{PATH}", action="packet:read", record=PACKET, system="document-storage"
    )
    require_problem(answer, 401, "invalid_token")
    require_problem(await _get(bank, PATH), 404, "not_found")


async def test_packets_put_at_once_are_versions_of_their_own(either: Lending) -> None:
    """One of two may be told to come again; neither is lost without a word, none is mixed."""
    answers = await asyncio.gather(
        *(_upload(either, {"a.pdf": bytes([n]), f"{n}.pdf": b""}) for n in range(6))
    )
    stored = sorted(a.json()["version"] for a in answers if a.status_code == 200)
    for answer in answers:
        if answer.status_code != 200:
            require_problem(answer, 409, "conflict", "send it again")
    assert stored == list(range(1, len(stored) + 1))
    files = (await _get(either, PATH)).json()["files"]
    assert len(files) == 2


async def test_a_large_upload_does_not_stop_other_requests(bank: Lending) -> None:
    """The loop goes on while a packet is parsed, hashed and written."""
    health = f"{bank.urls['document-storage']}/livez"
    slow = _folders_slow(bank)
    upload = asyncio.create_task(_upload(bank, {"large.pdf": b"x" * 100_000}))
    await asyncio.to_thread(slow.entered.wait, 20)
    answer = await bank.http.get(health)  # while the upload is held inside its transaction
    assert answer.status_code == 200
    assert not upload.done()
    slow.go.set()
    assert (await upload).status_code == 200


class _Held:
    def __init__(self) -> None:
        import threading

        self.entered, self.go = threading.Event(), threading.Event()

    def __call__(self, *_: object) -> None:
        self.entered.set()
        self.go.wait(20)


def _folders_slow(bank: Lending) -> _Held:
    """Hold the first write of a file until the test lets it go."""
    held = _Held()
    engine = bank.databases["document-storage"].engine

    def hold(*given: object) -> None:
        if str(given[2]).startswith("INSERT INTO packet_file"):
            held()

    event.listen(engine, "before_cursor_execute", hold)
    return held


# --- a packet's folder ------------------------------------------------------------------------


def test_a_folder_is_read_as_it_is(tmp_path: Path) -> None:
    """Hidden files are passed over; everything else is the packet."""
    (tmp_path / "b.pdf").write_bytes(b"b")
    (tmp_path / "a b.csv").write_bytes(b"a")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert storage.read_packet_folder(tmp_path) == {"a b.csv": b"a", "b.pdf": b"b"}


def _link(folder: Path) -> None:
    outside = folder.parent / "secret.key"
    outside.write_text("a private key")
    (folder / "odd").symlink_to(outside)


def _dangling(folder: Path) -> None:
    (folder / "odd").symlink_to(folder / "nothing")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "odd")


def _folder(folder: Path) -> None:
    (folder / "odd").mkdir()


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "odd"))


_ODD = {
    "link": (_link, "a link"),
    "dangling-link": (_dangling, "a link"),
    "pipe": (_pipe, "not a regular file"),
    "folder": (_folder, "not a regular file"),
    "socket": (_socket, "odd"),
}


@pytest.mark.parametrize("name", sorted(_ODD))
def test_only_regular_files_are_read(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """I12: a link leads out of the folder, a pipe never ends: each is refused by its name."""
    folder = tmp_path_factory.mktemp("p")
    (folder / "good.pdf").write_bytes(b"%PDF-")
    make, said = _ODD[name]
    make(folder)
    with pytest.raises(Failure, match=said) as refused:
        storage.read_packet_folder(folder)
    assert str(folder / "odd") in str(refused.value)


def test_a_folder_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """I12: too large a file, too much, too many: known before it is all in memory."""
    for number in range(3):
        (tmp_path / f"{number}.pdf").write_bytes(b"x" * 100)
    monkeypatch.setattr(_folders, "MAX_FILE", 99)
    with pytest.raises(Failure, match="0.pdf: larger than 99 bytes"):
        storage.read_packet_folder(tmp_path)
    monkeypatch.setattr(_folders, "MAX_FILE", 100)
    monkeypatch.setattr(_folders, "MAX_PACKET", 299)
    with pytest.raises(Failure, match="more than 299 bytes"):
        storage.read_packet_folder(tmp_path)
    monkeypatch.setattr(_folders, "MAX_PACKET", 300)
    assert len(storage.read_packet_folder(tmp_path)) == 3
    monkeypatch.setattr(_folders, "MAX_FILES", 2)
    with pytest.raises(Failure, match="more than 2 files"):
        storage.read_packet_folder(tmp_path)


def test_reading_a_folder_leaves_nothing_open(tmp_path: Path) -> None:
    """A descriptor for each file of each packet would run out."""
    for number in range(20):
        (tmp_path / f"{number}.pdf").write_bytes(b"x")
    open_before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    kept = storage.read_packet_folder(tmp_path)
    if open_before:
        assert len(os.listdir("/proc/self/fd")) == open_before
    assert len(kept) == 20
