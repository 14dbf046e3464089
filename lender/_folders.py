"""Reading a packet's folder from disk: regular files alone, and no more than a packet may have."""

import os
import stat
from pathlib import Path

from lender._service import Failure

MAX_FILES = 200
"""Files of one packet: a large draw has about sixty waivers and as many invoices."""

MAX_FILE = 20 * 1024 * 1024
"""Bytes of one file of a packet."""

MAX_PACKET = 100 * 1024 * 1024
"""Bytes of one packet: 200 scanned pages of half a megabyte."""


def read_packet_folder(folder: Path) -> dict[str, bytes]:
    """The files of a packet's folder by name; hidden files are passed over.

    Raises:
        Failure: something in it is no regular file (a link could lead anywhere), can't be read, or
            is too large; or there are too many files, or too much of them.
    """
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if len(files) == MAX_FILES:
            raise Failure(400, "invalid_request", f"{folder}: more than {MAX_FILES} files")
        files[path.name] = _read(path)
        size += len(files[path.name])
        if size > MAX_PACKET:
            raise Failure(413, "invalid_request", f"{folder}: more than {MAX_PACKET} bytes")
    return files


def _read(path: Path) -> bytes:
    try:
        # Without waiting: a pipe's other end may never come.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        said = "a link; put the file itself there" if path.is_symlink() else error.strerror
        raise Failure(400, "invalid_request", f"{path}: {said}") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Failure(400, "invalid_request", f"{path}: not a regular file; leave it out")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE:
        raise Failure(413, "invalid_request", f"{path}: larger than {MAX_FILE} bytes")
    return content
