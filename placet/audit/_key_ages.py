"""How long agents' keys count, as the log and the rules in force say."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from placet.audit._scene import Scene
from placet.ledger import Entry
from placet.model import IdentityRules
from placet.tokens import PublicKey, verify_rotation


class KeyAges:
    """When agents' keys were enrolled, and what replaced them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._since: dict[str, datetime] = {}
        self._until: dict[str, datetime] = {}
        self._next: dict[str, str] = {}

    def enrolled(self, thumbprint: str, entry: Entry, rules: IdentityRules) -> None:
        """A key; where it is a worker's next one, the earlier one ends with the overlap."""
        if not str(entry.data.get("principal")).startswith("agent:"):
            return
        self._since[thumbprint] = entry.time
        if "replaces" not in entry.data:
            return
        earlier, until = str(entry.data["replaces"]), entry.data.get("until")
        if earlier in self._next:
            self._scene.trouble("key-uninvited", f"{earlier} was replaced before")
        self._next[earlier] = thumbprint
        seconds = until if isinstance(until, int) else 0
        if seconds > (entry.time + timedelta(minutes=rules.overlap_minutes)).timestamp():
            self._scene.trouble("key-uninvited", f"{earlier} goes on for longer than the rules let")
        self._until[earlier] = datetime.fromtimestamp(seconds, UTC)

    def named(self, entry: Entry, before: PublicKey, key: PublicKey) -> None:
        """The earlier key has signed which one is the next."""
        claims = self._scene.word(
            "rotation",
            lambda: verify_rotation(
                str(entry.data.get("rotation")),
                before,
                agent=entry.actor,
                audience=self._scene.files.issuer,
                now=entry.time,
                max_age=None,
            ),
        )
        if claims is None:
            return
        if claims.sub != key.thumbprint:
            self._scene.trouble("rotation-says-other", "the earlier key has named another")
        self._scene.fresh("rotation", claims.iat, entry)

    def counts(self, thumbprint: str, at: datetime, rules: IdentityRules) -> bool:
        """Whether a key is not too old at a time, nor past its overlap."""
        since, until = self._since.get(thumbprint), self._until.get(thumbprint)
        if since is not None and at >= since + timedelta(days=rules.key_days):
            return False
        return until is None or at < until

    def descendants(self, thumbprint: str) -> Iterator[str]:
        """The keys that replaced one, one after the other."""
        seen = {thumbprint}
        while (following := self._next.get(thumbprint)) is not None and following not in seen:
            yield following
            seen.add(following)
            thumbprint = following
