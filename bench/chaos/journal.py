"""What came of every run of this very code, so that a long series goes on where it was stopped."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CODE = (
    "placet",
    "lender",
    "workflows",
    "activities",
    "worker",
    "bench/chaos",
    "tests/authority/throwaway_postgresql.py",
    "requirements.lock",
)


@dataclass
class Came:
    """What came of one run."""

    seed: int
    troubles: list[str]
    befell: list[str]
    draws: list[str]
    stops: list[str]
    seconds: float
    checked: float


@dataclass(frozen=True)
class Journal:
    """A file with a line for each run."""

    path: Path

    @classmethod
    def of_this_code(cls, folder: Path) -> "Journal":
        """The journal of the code as it is: after any change to it all runs are taken anew."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder / f"runs-{_code()}.jsonl")

    def write(self, came: Iterable[Came]) -> None:
        """Add runs; processes may do so side by side."""
        lines = "".join(json.dumps(asdict(each)) + "\n" for each in came)
        with self.path.open("a") as file:
            file.write(lines)

    def read(self, seeds: range) -> list[Came]:
        """What came of some seeds so far, the runs of a repeated one after each other."""
        if not self.path.exists():
            return []
        runs = (Came(**json.loads(line)) for line in self.path.read_text().splitlines())
        return [each for each in runs if each.seed in seeds]


def _code() -> str:
    digest = hashlib.sha256()
    for path in _files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def _files() -> Iterator[Path]:
    for name in _CODE:
        part = _ROOT / name
        for path in [part] if part.is_file() else sorted(part.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
