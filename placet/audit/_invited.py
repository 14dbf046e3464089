"""Keys that enrolled themselves: named by the key of the invitation, which was signed."""

from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.tokens import PublicKey, verify_enrolment


def check_enrolment(scene: Scene, entry: Entry, key: PublicKey, invitation: Entry) -> None:
    """Whoever had the code or token has named this key, and nobody else could."""
    word = scene.word(
        "enrolment",
        lambda: verify_enrolment(
            str(entry.data.get("enrolment")),
            principal=str(entry.data.get("principal")),
            audience=scene.files.issuer,
            now=entry.time,
            max_age=None,
        ),
    )
    if word is None:
        return
    told = (word.key.thumbprint, word.claims.cnf.jkt)
    if told != (invitation.data.get("invitation_key"), key.thumbprint):
        scene.trouble("enrolment-says-other", "another invitation's key, or it names another key")
    scene.fresh("enrolment", word.claims.iat, entry)


class Inviters:
    """Who signed which invitation: one who was cut off since lets nobody in by it (I10)."""

    def __init__(self) -> None:
        self._signed: dict[str, tuple[str, str]] = {}
        self._acts: dict[str, tuple[str, ...]] = {}

    def signed(self, jti: str, who: str, thumbprint: str) -> None:
        """An act that holds, and the key that signed it."""
        self._signed[jti] = who, thumbprint

    def invited(self, entry: Entry) -> None:
        """An invitation, if the entry is one, by one act or two."""
        if entry.type in {EntryType.OPERATOR_INVITED, EntryType.AGENT_INVITED}:
            acts = (entry.data.get("act"), entry.data.get("second"))
            invitation = str(entry.data.get("invitation"))
            self._acts[invitation] = tuple(str(each) for each in acts if each is not None)

    def of(self, invitation: str) -> tuple[tuple[str, str], ...]:
        """Who signed an invitation, each with the thumbprint of the key."""
        acts = self._acts.get(invitation, ())
        return tuple(self._signed[each] for each in acts if each in self._signed)
