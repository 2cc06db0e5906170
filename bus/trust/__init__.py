"""Decides from a signed registry who may publish and read what."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.trust import ceremony, proposals, receipt_grants
    from bus.trust.answering import feedback_by
    from bus.trust.changes import Change, differences
    from bus.trust.grants import FEEDBACK, HEARTBEAT, HUB, Speaker
    from bus.trust.jwks import key_set
    from bus.trust.receipt_grants import Way
    from bus.trust.registry import CLOCK_SKEW, RegisteredKey, TrustState, VerifiedRegistry
    from bus.trust.revocations import MOST_AGE, REACH, Ending, new_statement, speaker_of
    from bus.trust.roles import says
    from bus.trust.rotation import (
        add_key,
        check_rules,
        replace_nkeys,
        revoke_keys,
        rotate_key,
        rotate_role,
        usable_keys,
    )
    from bus.trust.rules import ever_revoked
    from bus.trust.standing import must_stand
    from bus.trust.store import AGAIN_S, RegistryStore, heard_beside, trust_kind, version_file
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "AGAIN_S",
    "CLOCK_SKEW",
    "FEEDBACK",
    "HEARTBEAT",
    "HUB",
    "MOST_AGE",
    "REACH",
    "Change",
    "Ending",
    "RegisteredKey",
    "RegistryStore",
    "Speaker",
    "TrustState",
    "VerifiedRegistry",
    "Way",
    "add_key",
    "ceremony",
    "check_rules",
    "differences",
    "ever_revoked",
    "feedback_by",
    "heard_beside",
    "key_set",
    "must_stand",
    "new_statement",
    "proposals",
    "receipt_grants",
    "replace_nkeys",
    "revoke_keys",
    "rotate_key",
    "rotate_role",
    "says",
    "speaker_of",
    "trust_kind",
    "usable_keys",
    "version_file",
]
