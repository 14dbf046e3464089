"""Keys that enrolled themselves: named by the key of the invitation, which was signed."""

from placet.audit._scene import Scene
from placet.ledger import Entry
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
