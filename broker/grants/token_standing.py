"""Whether a service token still counts, beside its signature and its account."""

from dataclasses import dataclass

from broker.core.blocks import Blocks
from broker.core.own_token import OwnToken
from broker.ports import Clock, PolicySource, TokenRecord


@dataclass(frozen=True, slots=True)
class TokenStanding:
    """Asks the record and the blocks."""

    record: TokenRecord
    policies: PolicySource
    clock: Clock

    def blocks(self) -> Blocks:
        """Give the blocks of this moment."""
        return self.policies.current().blocks

    async def counts(self, token: OwnToken) -> bool:
        """Tell whether a token is on record, was not revoked, and falls under no block.

        Raises `Unavailable`.
        """
        if not await self.record.token_is_active(token.token_id, token.expires_at):
            # Revoked, signed with a stolen key, or issued after the backup that was restored
            # (attacks row 153).
            return False
        blocks = self.blocks()
        if not blocks:
            return True
        event = await self.record.event_of_token(token.token_id)
        return event is not None and blocks.of_event(event, self.clock.now()) is None
