"""The keys of an issuer whose key set is configured as a file: read once, no network at all."""

import logging
from typing import Final

from broker.core.errors import Reason, SubjectTokenRefused, Unavailable
from broker.core.issuer_keys import IssuerKeySet, KeysRefused, VerificationKey, read_jwks
from broker.core.policy import Issuer
from broker.ports import IssuerKeyStatus

_log = logging.getLogger(__name__)
# Only another configuration mends a broken file.
_RETRY_AFTER: Final = 30


class DocumentKeys:
    """The usable keys of one JWKS document."""

    def __init__(self, issuer: Issuer, document: bytes) -> None:
        self._name = issuer.name
        self._failure: str | None = None
        try:
            self._keys = read_jwks(document, issuer.algorithms)
        except KeysRefused as error:
            self._keys = IssuerKeySet({}, ())
            self._failure = str(error)
            _log.warning("issuer '%s': its key file is not used: %s", self._name, error)
        for sentence in self._keys.skipped:
            _log.warning("issuer '%s': skipped %s", self._name, sentence)

    def find(self, key_id: str) -> VerificationKey:
        """Find a key by its exact `kid`.

        Raises `SubjectTokenRefused` (`key_not_found`), and `Unavailable` (`issuer_unavailable`)
        when the document as a whole is unusable.
        """
        key = self._keys.keys.get(key_id)
        if key is not None:
            return key
        if self._failure is not None:
            raise Unavailable(
                Reason.ISSUER_UNAVAILABLE,
                "the keys of the token's issuer are unusable",
                retry_after=_RETRY_AFTER,
            )
        raise SubjectTokenRefused(
            Reason.KEY_NOT_FOUND, "the token's issuer has no key with its 'kid'"
        )

    def status(self) -> IssuerKeyStatus:
        """Tell operators how it stands."""
        return IssuerKeyStatus(
            issuer=self._name,
            usable=self._failure is None,
            key_ids=tuple(self._keys.keys),
            age=None,
            failure=self._failure,
            failures=0 if self._failure is None else 1,
            skipped=self._keys.skipped,
        )
