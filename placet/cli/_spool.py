"""Archives and files on disk while they are audited: however many, memory holds one."""

import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from placet.model import CaseArchive


class Spool(Mapping[str, bytes]):
    """Contents by their name, in a folder that nobody else may read and that goes with this."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="placet-audit-"))  # mode 700
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._names: dict[str, Path] = {}

    def put(self, name: str, content: bytes) -> None:
        """Keep one."""
        path = self._folder / f"{len(self._names)}.z"
        path.write_bytes(zlib.compress(content, 1))
        self._names[name] = path

    def __getitem__(self, name: str) -> bytes:
        return zlib.decompress(self._names[name].read_bytes())

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Archives(Mapping[str, CaseArchive]):
    """Archives by their case, spooled."""

    def __init__(self) -> None:
        self._spool = Spool()

    def put(self, case: str, archive: CaseArchive) -> None:
        """Keep one."""
        self._spool.put(case, archive.model_dump_json().encode())

    def __getitem__(self, case: str) -> CaseArchive:
        return CaseArchive.model_validate_json(self._spool[case])

    def __contains__(self, case: object) -> bool:
        return case in self._spool

    def __iter__(self) -> Iterator[str]:
        return iter(self._spool)

    def __len__(self) -> int:
        return len(self._spool)
