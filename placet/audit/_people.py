"""Keys, and the acts that people signed: each entry says what its act says, by who could."""

import contextlib
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue, ValidationError

from placet.audit._acts import adds_own_key, otherwise, signs
from placet.audit._invited import Inviters
from placet.audit._key_ages import KeyAges
from placet.audit._proposals import Proposals
from placet.audit._registry import Registry, named
from placet.audit._scene import Scene
from placet.audit._seen_heads import SeenHeads
from placet.audit._sessions import Sessions
from placet.ledger import Entry, EntryType
from placet.model import ADMINISTRATOR, ActClaims, Governance, is_ours
from placet.tokens import KeyRefused, PublicKey, TokenError, verify_act

_STOPPED = {
    EntryType.AGENT_SUSPENDED,
    EntryType.AGENT_OFFBOARDED,
    EntryType.OPERATOR_SUSPENDED,
    EntryType.OPERATOR_OFFBOARDED,
}
STOPS = {
    *_STOPPED,
    EntryType.KEY_REVOKED,
    EntryType.IDENTITY_ENDED,
    EntryType.VENDOR_SWITCHED_OFF,
}
"""What ends someone's standing, or that of a key."""

_OFFBOARDED = {EntryType.AGENT_OFFBOARDED, EntryType.OPERATOR_OFFBOARDED}
_RESUMED = {EntryType.AGENT_RESUMED, EntryType.OPERATOR_RESUMED}
_NEVER_OWN = {
    EntryType.OPERATOR_SUSPENDED,
    EntryType.OPERATOR_OFFBOARDED,
    EntryType.OPERATOR_RESUMED,
    EntryType.OPERATOR_ROLES_SET,
    EntryType.OPERATOR_INVITED,
    EntryType.KEY_REVOKED,
}
"""What nobody does to themselves."""
# Anyone may hold; who may hand in again is the matrix's, which the entry does not name. Who may do
# what at a checkpoint is looked at with the checkpoint.
# A second signature is the owner's, too, and a proposal's own author may withdraw it.
_NO_FIXED_ROLE = {
    EntryType.CAMPAIGN_ACKNOWLEDGED,  # the rules name the roles: looked at with the campaign
    EntryType.IDENTITY_ORDERED,  # its owner orders it, too: looked at with the order
    EntryType.HOLD_PLACED,
    EntryType.HOLD_LIFTED,
    EntryType.CASE_RESUBMITTED,
    EntryType.ACT_COUNTERSIGNED,
    EntryType.ACT_WITHDRAWN,
    EntryType.CHECKPOINT_CLAIMED,
    EntryType.CHECKPOINT_UNCLAIMED,
    EntryType.CHECKPOINT_COMMENTED,
    EntryType.CHECKPOINT_ATTACHED,
    EntryType.CHECKPOINT_ADJUSTED,
    EntryType.CHECKPOINT_KEYED,
    EntryType.DELEGATION_GIVEN,
    EntryType.DELEGATION_ENDED,
    EntryType.SESSION_ENDED,
    EntryType.GLASS_BROKEN,
    EntryType.REVIEW_CLOSED,
}


class People:
    """Identities as the log enrols, suspends and resumes them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._administrators: dict[str, str] = {}
        self._keys: dict[str, tuple[str, PublicKey]] = {}
        self._enrolled: set[str] = set()
        """Who has a key of their own, which no session began with."""
        self._roles: dict[str, tuple[str, ...]] = {}
        self.registry = Registry(scene)
        self.ages = KeyAges(scene)
        self.heads = SeenHeads(scene)
        self._delegations: dict[str, Entry] = {}
        self._stopped: set[str] = set()
        self._offboarded: set[str] = set()
        self._revoked: set[str] = set()
        self._acts: set[str] = set()
        self._proposals = Proposals(scene)
        self.sessions = Sessions(scene)
        self._inviters = Inviters()

    def roles(self, principal: str) -> tuple[str, ...]:
        """The roles someone was enrolled with."""
        return self._roles.get(principal, ())

    def stands_in_for(
        self, delegate: str, process: str | None, moment: datetime
    ) -> tuple[str, ...]:
        """Who had handed over to someone at a moment, for a process."""
        return tuple(
            sorted(
                {
                    each.actor
                    for each in self._delegations.values()
                    if each.data.get("target") == delegate
                    and each.data.get("process") in (None, process)
                    and _within(each.data, moment)
                    and self.active(each.actor)
                }
            )
        )

    def handed_over(self, entry: Entry) -> None:
        """A delegation: to another person of the same authority, and its early end."""
        self.act(entry)
        if entry.type is EntryType.DELEGATION_ENDED:
            given = self._delegations.pop(str(entry.data.get("delegation")), None)
            if given is None or given.actor != entry.actor:
                self._scene.trouble("delegation", "it ends no delegation of the one who ends it")
            return
        delegate = str(entry.data.get("target"))
        lacking = set(self.roles(entry.actor)) - set(self.roles(delegate))
        if delegate == entry.actor or lacking or not self.active(delegate):
            self._scene.trouble("delegation", f"{delegate} has not the authority handed over")
        self._delegations[str(entry.data.get("act"))] = entry

    def active(self, principal: str) -> bool:
        """Whether someone is enrolled, and neither suspended nor offboarded now."""
        owners = {owner for owner, _ in self._keys.values()}
        return principal in owners and principal not in self._stopped

    def key(self, principal: str, thumbprint: str, at: datetime) -> PublicKey | None:
        """Someone's key, if it is neither revoked nor its session over at this time."""
        if not self._unrevoked(principal, thumbprint):
            return None
        _, key = self._keys[thumbprint]
        if not self.ages.counts(thumbprint, at, self.rules.identities):
            return None
        return key if self.sessions.lasts(thumbprint, at) else None

    def word_stands(self, principal: str, thumbprint: str) -> bool:
        """Whether what someone signed before counts now; a session's end takes nothing back."""
        return self._unrevoked(principal, thumbprint) and self.active(principal)

    def _unrevoked(self, principal: str, thumbprint: str) -> bool:
        owner, _ = self._keys.get(thumbprint, (None, None))
        return owner == principal and thumbprint not in self._revoked

    @property
    def rules(self) -> Governance:
        """The rules about people at this place of the walk."""
        return self._proposals.rules

    def created(self, data: Mapping[str, JsonValue]) -> None:
        """The log's first entry names the first administrators."""
        named = data.get("administrators")
        if not isinstance(named, dict) or not named:
            self._scene.trouble("log-created", "no first administrators are named")
            return
        self._administrators = {str(name): str(key) for name, key in named.items()}
        if data.get("signatures") not in (1, 2):
            self._scene.trouble("log-created", "it does not say how many sign: 1 or 2")
        self._proposals.begin(2 if data.get("signatures") == 2 else 1)
        trusted = set(self._scene.files.trusted_administrators)
        if trusted and trusted != set(self._administrators.values()):
            self._scene.trouble("administrators", "the first administrators are not those trusted")

    def enrolled(self, entry: Entry) -> None:
        """A key: of a first administrator, or enrolled by an administrator's act."""
        self._scene.collector.count("keys")
        data = entry.data
        principal = str(data.get("principal"))
        try:
            key = PublicKey.from_jwk(data.get("jwk"))
        except KeyRefused as error:
            self._scene.trouble("key", str(error))
            return
        if dict(key.jwk()) != data.get("jwk"):
            self._scene.trouble("key", f"the key of {principal} is spelled otherwise")
        if "replaces" in data:
            self._replaced(entry, key)
        elif principal.startswith("agent:") and entry.actor == principal:
            self.registry.joined(entry, key)
        elif "invitation" in data:
            self._claimed(entry, key)
        elif data.get("act") is None:
            if self._administrators.get(principal) != key.thumbprint:
                self._scene.trouble("key-unsigned", f"nobody enrolled the key of {principal}")
            if (data.get("roles"), data.get("owner")) != ([ADMINISTRATOR], None):
                self._scene.trouble("key-unsigned", f"nobody gave {principal} such roles")
        else:
            self.act(entry)
        if "invitation" in data:
            self._still_invited(entry)
        self._keys[key.thumbprint] = (principal, key)
        self.ages.enrolled(key.thumbprint, entry, self.rules.identities)
        self.registry.enrolled(principal, data)
        roles = data.get("roles")
        own = adds_own_key(entry) and "invitation" not in data
        if own and principal.startswith("operator:") and principal not in self._enrolled:
            self._scene.trouble("key", f"{principal} has the keys of sessions alone")
        if own and roles != list(self.roles(principal)):
            self._scene.trouble("key", f"{principal} gave themselves other roles with a key")
        if isinstance(roles, list) and roles:
            self._roles[principal] = tuple(str(role) for role in roles)
        self._enrolled.add(principal)

    def _replaced(self, entry: Entry, key: PublicKey) -> None:
        """A worker's next key: named by one of the same agent that counts now."""
        principal, earlier = str(entry.data.get("principal")), str(entry.data.get("replaces"))
        before = self.key(principal, earlier, entry.time)
        if entry.actor != principal or before is None:
            self._scene.trouble("key-uninvited", f"{earlier} is no active key of {principal}")
        else:
            self.ages.named(entry, before, key)
        if not self.active(principal):
            self._scene.trouble("key-uninvited", f"{principal} was not active")

    def _still_invited(self, entry: Entry) -> None:
        """Whoever signed the invitation may still: a stolen key lets nobody in once it is known."""
        for who, thumbprint in self._inviters.of(str(entry.data.get("invitation"))):
            if ADMINISTRATOR not in self.roles(who) or not self.word_stands(who, thumbprint):
                self._scene.trouble("key-uninvited", f"{who}, who had invited, was cut off since")

    def _claimed(self, entry: Entry, key: PublicKey) -> None:
        """A key that enrolled itself with a one-time code: it signed, and who it is was invited."""
        principal = str(entry.data.get("principal"))
        self._keys[key.thumbprint] = (principal, key)  # it signs for itself, from this entry on
        self.act(entry)
        self.sessions.claimed(entry, key)

    def session(self, entry: Entry) -> None:
        """A session through the identity provider, in the roles that its groups give."""
        self._scene.collector.count("sessions")
        found = self.sessions.started(entry, self._proposals.rules)
        if found is None:
            return
        principal, key, roles = found
        if self._keys.get(key.thumbprint, (principal,))[0] != principal:
            self._scene.trouble("session", f"the key of {principal} is someone else's")
        if principal in self._enrolled or principal in self._stopped:
            self._scene.trouble("session", f"{principal} may not sign in at a provider")
        self._keys[key.thumbprint] = (principal, key)
        self._roles[principal] = roles

    def act(self, entry: Entry) -> None:
        """An entry with a person's act behind it."""
        self._scene.collector.count("acts")
        jti = str(entry.data.get("act"))
        if jti in self._acts:
            self._scene.trouble("act-twice", f"the act {jti} stands behind an earlier entry")
        self._acts.add(jti)
        act = self._scene.files.acts.get(jti)
        if act is None:
            self._scene.trouble("act-missing", f"the signed act {jti} is not there")
        elif (claims := self._verified(entry, act.jws)) is None:
            self._scene.trouble("act-signature", f"the act {jti} by {entry.actor} does not verify")
        elif claims.jti != jti or not signs(claims, act.body):
            self._scene.trouble("act-body", f"the act {jti} signs another body")
        else:
            for found in otherwise(entry, claims, act.body):
                self._scene.trouble("act-says-other", f"the act {jti}: {found}")
            self.heads.signed(entry, claims.ledger_head)
            if "second" not in entry.data:
                self._scene.fresh("act", claims.iat, entry)
            self._counted(entry, claims, act.body)
        self._inviters.invited(entry)
        self._entitled(entry)
        self._change_standing(entry)

    def _counted(self, entry: Entry, claims: ActClaims, body: str) -> None:
        """An act that holds: signed by as many as it needs, or the signature that another needs."""
        if entry.type is EntryType.ACT_COUNTERSIGNED:
            self._proposals.countersigned(entry, body, self.roles(entry.actor))
        elif entry.type is EntryType.ACT_WITHDRAWN:
            self._proposals.withdrawn(entry, self.roles(entry.actor))
        else:
            self._proposals.effective(entry, claims.act)
        if entry.type is EntryType.GOVERNANCE_PUBLISHED:
            with contextlib.suppress(ValidationError):  # said above: its body does not fit it
                self._proposals.published(Governance.model_validate_json(body))

    def proposed(self, entry: Entry) -> None:
        """An act that waits for its second signature."""
        jti = str(entry.data.get("act"))
        act = self._scene.files.acts.get(jti)
        claims = None if act is None else self._verified(entry, act.jws)
        if act is None:
            self._scene.trouble("act-missing", f"the signed act {jti} is not there")
        elif claims is None:
            self._scene.trouble("act-signature", f"the act {jti} by {entry.actor} does not verify")
        elif claims.jti != jti or not signs(claims, act.body):
            self._scene.trouble("act-body", f"the act {jti} signs another body")
        else:
            self.heads.signed(entry, claims.ledger_head)
            self._scene.fresh("act", claims.iat, entry)
            self._proposals.proposed(entry, claims)
        self._entitled(entry)

    def owner_changed(self, entry: Entry) -> None:
        """An owner who left: the deputy follows, or a grace begins, or it is over."""
        target, before = str(entry.data.get("target")), entry.data.get("before")
        if before is not None and str(before) not in self._offboarded:
            self._scene.trouble("registry", f"{before}, who owned {target}, has not left")
        owner = entry.data.get("owner")
        if owner is not None and not self.active(str(owner)):
            self._scene.trouble("registry", f"{owner} is not active, and can own nothing")
        self.registry.owner_changed(target, entry, self.rules.identities.owner_grace_days)
        if entry.type is EntryType.IDENTITY_DISOWNED:
            self._stopped.add(target)

    def suspended(self, identity: str) -> None:
        """The authority has suspended one by itself, by the rules."""
        self._stopped.add(identity)

    def session_over(self, entry: Entry) -> None:
        """A session that ends without a person's word, and its key with it."""
        self.sessions.ended(entry)

    def lapsed(self, entry: Entry) -> None:
        """An act that nobody signed in time."""
        self._proposals.lapsed(entry)

    def _verified(self, entry: Entry, jws: str) -> ActClaims | None:
        for thumbprint, (_, key) in self._keys.items():
            if self.key(entry.actor, thumbprint, entry.time) is None:
                continue
            try:
                claims = verify_act(
                    jws,
                    key,
                    operator=entry.actor,
                    audience=self._scene.files.issuer,
                    now=entry.time,
                    max_age=None,
                )
            except TokenError:
                continue
            self._inviters.signed(claims.jti, entry.actor, thumbprint)
            return claims
        return None

    def _entitled(self, entry: Entry) -> None:
        # Who comes by a key while suspended can do nothing with it before they are resumed.
        claims = entry.type is EntryType.KEY_ENROLLED and "invitation" in entry.data
        if entry.actor in self._offboarded or not (claims or self.active(entry.actor)):
            self._scene.trouble("act-refusable", f"{entry.actor} was not active")
        whose = entry.data.get("principal", entry.data.get("target"))
        if entry.type in _NEVER_OWN and entry.actor == whose:
            self._scene.trouble("act-refusable", f"{entry.actor} may not do that to themselves")
        if entry.type in _NO_FIXED_ROLE or adds_own_key(entry):
            return
        allowed: tuple[str, ...] = ("administrator",)
        if entry.type is EntryType.CASE_OPENED:
            matrix = self._scene.matrices.get(str(entry.data.get("matrix_digest")))
            allowed = () if matrix is None else matrix.openers
        if not set(allowed) & set(self.roles(entry.actor)):
            self._scene.trouble("act-refusable", f"{entry.actor} is in no role that may do this")

    def _change_standing(self, entry: Entry) -> None:
        target = str(entry.data.get("target"))
        if entry.type in _STOPPED:
            self._stopped.add(target)
            if entry.type in _OFFBOARDED:
                self._offboarded.add(target)
        elif entry.type in _RESUMED and target in self._offboarded:
            self._scene.trouble("act-refusable", f"{target} was offboarded, which is for good")
        elif entry.type in _RESUMED:
            self._stopped.discard(target)
        elif entry.type is EntryType.IDENTITY_REGISTERED and target not in self._enrolled:
            self._stopped.discard(target)  # suspended before it had a key
        elif entry.type is EntryType.KEY_REVOKED:
            # However old: what replaced it goes with it.
            if not self._unrevoked(str(entry.data.get("principal")), target):
                self._scene.trouble("key", f"{target} was no active key of the one it names")
            self._revoked |= {target, *self.ages.descendants(target)}
            if list(self.ages.descendants(target)) != entry.data.get("with_it"):
                self._scene.trouble("key", f"it leaves a key that replaced {target}")
        elif entry.type is EntryType.VENDOR_SWITCHED_OFF:
            self._stopped |= {each for each in named(entry) if is_ours(each)}
        elif entry.type is EntryType.OPERATOR_INVITED:
            self.sessions.invited(entry)
        elif entry.type is EntryType.SESSION_ENDED:
            self.sessions.ended(entry)
        elif entry.type is EntryType.OPERATOR_ROLES_SET:
            roles = entry.data.get("roles")
            self._roles[target] = tuple(map(str, roles)) if isinstance(roles, list) else ()
        self.registry.changed(entry)


def _within(data: Mapping[str, JsonValue], moment: datetime) -> bool:
    starts, ends = data.get("starts_at"), data.get("ends_at")
    if not isinstance(starts, int) or not isinstance(ends, int):
        return False
    return starts <= moment.timestamp() < ends
