"""Changing the master key: everything under the old one is put under the new one, or nothing is.

The order survives an end at any moment. The new key is durable beside the old one before a row is
written; all rows change in one transaction; then the new file takes the place of the old one. A
start that finds the store under the waiting key finishes what is left.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.core.audit import AuditEvent
from broker.core.errors import ConfigurationError, Problem
from broker.ports import RewrappingStore, RowsUnderMasterKey, SigningKeyRow
from broker.signing import master_key_file
from broker.signing.check_row import CHECK_ROW, check_content
from broker.signing.key_wrap import KeyWrap, WrappedKeyRefused
from broker.signing.master_key import MasterKey, master_key_fault
from broker.signing.sealed_accounts import resealed
from broker.signing.sealed_issuer_keys import PREFIX as ISSUER_KEYS
from broker.signing.sealed_rows import SealedBox

PolicyReseal = Callable[[str, bytes], bytes | None]
"""Seals a kept policy set anew, given its version and content; None for one that was altered."""


@dataclass(frozen=True, slots=True)
class Rewrap:
    """Puts a store under another master key."""

    old: MasterKey
    new: MasterKey
    reseal: PolicyReseal

    async def in_file(self, file: Path, store: RewrappingStore, event: AuditEvent) -> None:
        """Change the store and the file that its master key is in.

        Raises `ConfigurationError` when a row does not open or the file cannot be written: then
        nothing has changed. Raises `Unavailable`; then the next start takes whichever key is right.
        """
        with master_key_file.locked(file):
            _require(file, self.old)
            try:
                master_key_file.write_successor(file, self.new)
            except OSError as error:
                what = f"cannot be changed: {error.strerror}; bring a key of your own, see --help"
                raise master_key_fault(str(file), what) from None
            try:
                await self.in_store(store, event)
            except ConfigurationError:
                master_key_file.drop_successor(file)
                raise
            try:
                master_key_file.put_successor_in_place(file)
            except FileNotFoundError:
                # A broker that started in between has done it.
                _require(file, self.new)

    async def in_store(self, store: RewrappingStore, event: AuditEvent) -> None:
        """Change the store alone. Raises as `in_file` does."""
        await store.rewrap(self._anew, event)

    def _anew(self, rows: RowsUnderMasterKey) -> RowsUnderMasterKey:
        problems: list[Problem] = []
        accounts, secrets, altered = resealed(
            rows.accounts, rows.secrets, SealedBox(self.old), SealedBox(self.new)
        )
        problems += [_problem(f"the row {each} was altered; restore a backup") for each in altered]
        anew = RowsUnderMasterKey(
            signing_keys=self._signing_keys(rows.signing_keys, problems),
            sealed=self._sealed(rows.sealed, problems),
            policy_sets=self._policy_sets(rows.policy_sets, problems),
            accounts=accounts,
            secrets=secrets,
        )
        if problems:
            raise ConfigurationError(problems)
        return anew

    def _signing_keys(
        self, rows: tuple[SigningKeyRow, ...], problems: list[Problem]
    ) -> tuple[SigningKeyRow, ...]:
        before, after = KeyWrap(self.old), KeyWrap(self.new)
        anew: list[SigningKeyRow] = []
        for row in rows:
            try:
                anew.append(after.wrap(before.unwrap(row), row.generation))
            except WrappedKeyRefused as refused:
                problems.append(_problem(f"{refused}; drop it: broker keys retire {row.key_id}"))
        return tuple(anew)

    def _sealed(self, rows: Mapping[str, bytes], problems: list[Problem]) -> dict[str, bytes]:
        before, after = SealedBox(self.old), SealedBox(self.new)
        # Made anew even if it was altered: rows that open have proved the key.
        anew = {CHECK_ROW: check_content(self.new)}
        for name, content in rows.items():
            if name == CHECK_ROW:
                continue
            plain = before.unseal(name, content)
            if plain is not None:
                anew[name] = after.seal(name, plain)
            elif not name.startswith(ISSUER_KEYS):
                # Issuers' keys are fetched anew, and take the place of such a row.
                problems.append(_problem(f"the sealed row '{name}' was altered; restore a backup"))
        return anew

    def _policy_sets(self, rows: Mapping[str, bytes], problems: list[Problem]) -> dict[str, bytes]:
        anew: dict[str, bytes] = {}
        for version, content in rows.items():
            sealed = self.reseal(version, content)
            if sealed is None:
                problems.append(_problem(f"policy set {version} was altered; restore a backup"))
            else:
                anew[version] = sealed
        return anew


def _require(file: Path, master_key: MasterKey) -> None:
    text = master_key_file.read(file)
    if text is None or MasterKey.from_text(text, str(file)).text() != master_key.text():
        raise master_key_fault(str(file), "was changed by another process")


def _problem(message: str) -> Problem:
    return Problem("store", 0, 0, message)
