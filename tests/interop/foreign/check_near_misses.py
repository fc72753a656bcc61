"""Relying parties in other languages do what docs/reference/interop.md says of them."""

import json
from collections.abc import Sequence

import pytest

from tests.interop.foreign.parties import parties
from tests.interop.foreign.vault import Vault
from tests.interop.foreign.versions import NAMES
from tests.interop.near_misses import ALGORITHMS, ISSUER
from tests.interop.page_rows import PAGE, found, rows_of_the_page
from tests.interop.verifiers import Presented, Service
from tests.verify.publishing import AUDIENCE, Publisher, signing_key


@pytest.mark.parametrize("name", NAMES)
def test_a_party_does_what_the_page_says(
    name: str, vaults: dict[str, Vault], rows: list[str]
) -> None:
    party = parties(vaults)[name]
    jwks = json.loads(Publisher.jwks(*map(signing_key, ALGORITHMS)))

    def lets_in(algorithm: str, tokens: Sequence[str]) -> list[bool]:
        service = Service(ISSUER, AUDIENCE, algorithm, party.token_type)
        return party.verify([Presented(token, service, jwks) for token in tokens])

    row = found(name, party.version, lets_in, party.token_type, **party.claims)
    rows.append(row.line)

    assert row in rows_of_the_page(), f"{PAGE.path} has to say: {row.line}"
