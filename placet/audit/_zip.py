"""A ZIP that has one spelling, and can be read whoever made it.

1. Members stand in the order of their names, stored as they are, with no time of their own: so
   nothing depends on a compressor's version, and there is nothing that could swell.
2. Sizes are limited before anything is read, names come from a small alphabet, and a ZIP that
   :func:`pack` would write otherwise is a :class:`BundleError`.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping

from placet.audit._bundle import BundleError, plainly

MAX_BUNDLE_BYTES = 256 * 1024 * 1024
"""A case of 500 parts of half a megabyte each; more is no bundle."""

MAX_MEMBERS = 20_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP can tell
_SEGMENT = r"[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_MAX_NAME = 420
"""An attached file is named by its act, whose id may have 128 dots, each spelled in three."""
_END, _LOCATOR, _ENTRY = 22, 20, 46
"""Sizes in a ZIP without comments: of its end, of what a ZIP64 has before it, and of an entry in
its directory, without the name."""


def pack(members: Mapping[str, bytes]) -> bytes:
    """A ZIP of these members, always the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3  # Unix, wherever this runs
            member.external_attr = 0o644 << 16
            archive.writestr(member, members[name])
    return out.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The members of a ZIP that :func:`pack` made.

    Raises:
        BundleError: it did not make these bytes.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError(f"it has {len(data)} bytes, over {MAX_BUNDLE_BYTES}")
    _require_end(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = dict(_read_members(archive))
    except BundleError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a forged file provokes in the reader
        raise BundleError(f"it is no ZIP that can be read: {plainly(error)}") from None
    if pack(members) != data:
        raise BundleError("it was changed or zipped anew: these are not the bytes of an export")
    return members


def _require_end(data: bytes) -> None:
    """Let no directory be read that is larger than that of a bundle: each entry costs memory.

    What a member has in it, such as a ZIP that somebody attached, does not count.
    """
    end, large = data[-_END:], data[-_END - _LOCATOR : -_END].startswith(b"PK\x06\x07")
    if large or not (end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0")):
        raise BundleError("it is no ZIP that can be read: it does not end as an export does")
    if int.from_bytes(end[12:16], "little") > MAX_MEMBERS * (_ENTRY + _MAX_NAME):
        raise BundleError(f"it has more than {MAX_MEMBERS} members")


def _read_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BundleError(f"it has more than {MAX_MEMBERS} members")
    names = [each.orig_filename for each in infos]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BundleError(f"{twice[:_MAX_NAME]!r} is in it twice")
    # Stored members are as large as they say: together no larger than the file, or they overlap.
    if sum(each.file_size for each in infos) > MAX_BUNDLE_BYTES:
        raise BundleError(f"its members say that they have over {MAX_BUNDLE_BYTES} bytes")
    for each in infos:
        require_name(each.orig_filename)
        if each.compress_type != zipfile.ZIP_STORED or each.file_size != each.compress_size:
            raise BundleError(f"{each.filename} is compressed; an export stores it as it is")
        if each.flag_bits & 1:
            raise BundleError(f"{each.filename} is encrypted")
        yield each.filename, archive.read(each)


def require_name(name: str) -> None:
    """Let only such names pass as mean the same file wherever the ZIP is unpacked.

    Raises:
        BundleError: it is another.
    """
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise BundleError(f"{name[:_MAX_NAME]!r} is no name of a member of a bundle")
