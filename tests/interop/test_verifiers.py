"""Verifiers that nobody here wrote take the broker's tokens and refuse the near misses.

docs/reference/interop.md says what this finds.
"""

import json
from collections.abc import Sequence
from typing import Final

import pytest

from tests.interop.near_misses import ALGORITHMS, ISSUER, near_misses
from tests.interop.page_rows import PAGE, Row, found, rows_of_the_page
from tests.interop.verifiers import VERIFIERS, Presented, Service, versions
from tests.verify.publishing import AUDIENCE, Publisher, signing_key

# A token of the broker is for one audience, of its own issuer, of the type of its service, for a
# client, from the moment of its issue until its end.
NEVER_ISSUED: Final = {
    "two audiences",
    "another issuer",
    "issuer with a slash more",
    "no issuer",
    "no end",
    "not yet valid",
    "`typ` `JWT`",
    "`typ` of a logout token",
    "no `client_id`",
}


def row(verifier: str) -> Row:
    jwks = json.loads(Publisher.jwks(*map(signing_key, ALGORITHMS)))

    def lets_in(algorithm: str, tokens: Sequence[str]) -> list[bool]:
        service = Service(ISSUER, AUDIENCE, algorithm)
        return VERIFIERS[verifier]([Presented(token, service, jwks) for token in tokens])

    return found(verifier, versions()[verifier], lets_in)


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_verifier_does_what_the_page_says(verifier: str) -> None:
    here = row(verifier)

    assert here in rows_of_the_page(), f"{PAGE.path} has to say: {here.line}"


def test_the_page_names_every_near_miss_and_no_other() -> None:
    listed = [line[2:] for line in PAGE.section("Near misses").splitlines() if line[:2] == "- "]

    assert listed == list(near_misses("ES256"))


def test_what_is_let_in_by_others_is_never_issued() -> None:
    let_in = frozenset[str]().union(*(each.but for each in rows_of_the_page()))

    assert let_in <= NEVER_ISSUED
