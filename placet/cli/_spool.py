"""What is audited, on disk: however much there is, memory holds where each piece stands.

The files have no name: nobody else can open them, and they go with the process, however it ends.
"""

import json
import os
import tempfile
import weakref
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

from placet.model import Model

M = TypeVar("M", bound=Model)


class Spool(Mapping[str, bytes]):
    """Contents by their name."""

    def __init__(self) -> None:
        self._pieces = Pieces()
        self._names: dict[str, int] = {}

    def put(self, name: str, content: bytes) -> None:
        """Keep one, once."""
        self._names[name] = len(self._pieces)
        self._pieces.append(zlib.compress(content, 1))

    def __getitem__(self, name: str) -> bytes:
        return zlib.decompress(self._pieces[self._names[name]])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Models(Mapping[str, M], Generic[M]):
    """Models of one kind by their name; each is made anew when it is asked for."""

    def __init__(self, kind: type[M]) -> None:
        self._kind = kind
        self._spool = Spool()

    def put(self, name: str, model: M) -> None:
        """Keep one, once."""
        # Python's JSON, not pydantic's: half a surrogate pair is text that a stranger may send.
        self._spool.put(name, json.dumps(model.model_dump(mode="json")).encode())

    def __getitem__(self, name: str) -> M:
        return self._kind.model_validate(json.loads(self._spool[name]))

    def __contains__(self, name: object) -> bool:
        return name in self._spool

    def __iter__(self) -> Iterator[str]:
        return iter(self._spool)

    def __len__(self) -> int:
        return len(self._spool)


class Pieces(Sequence[bytes]):
    """Bytes in order, such as a log's entries; a slice of them is in memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)
        self._ends = array("Q", [0])

    def append(self, piece: bytes) -> None:
        """Keep one more, all of it.

        Raises:
            OSError: there is no room for it; the folder is named, since the file has no name.
        """
        left = memoryview(piece)
        try:
            while left:  # what fits on a full disk is written, and no error until the next write
                left = left[self._file.write(left) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from None
        self._ends.append(self._ends[-1] + len(piece))

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[bytes, ...]: ...
    def __getitem__(self, at: int | slice) -> bytes | tuple[bytes, ...]:
        if isinstance(at, slice):
            return tuple(self[each] for each in range(*at.indices(len(self))))
        at = range(len(self))[at]
        start, end = self._ends[at : at + 2]
        return os.pread(self._file.fileno(), end - start, start)

    def __len__(self) -> int:
        return len(self._ends) - 1
