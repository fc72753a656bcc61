"""Verifiers that nobody here wrote take the broker's tokens and refuse the near misses.

docs/reference/interop.md says what this finds.
"""

import json
from typing import Final

import pytest

from tests.docs.markdown import Page
from tests.interop.near_misses import ALGORITHMS, ISSUER, at_now, near_misses
from tests.interop.verifiers import VERIFIERS, Presented, Service, versions
from tests.verify.publishing import AUDIENCE, Publisher, signing_key

PAGE: Final = Page("docs/reference/interop.md")


def found(verifier: str) -> list[str]:
    """Give the row of the page."""
    verify = VERIFIERS[verifier]
    accepted, let_in = [], set[str]()
    misses: dict[str, str] = {}
    for algorithm in ALGORITHMS:
        key = signing_key(algorithm)
        service = Service(ISSUER, AUDIENCE, algorithm)
        jwks = json.loads(Publisher.jwks(*map(signing_key, ALGORITHMS)))
        if verify([Presented(at_now(key), service, jwks)]) != [True]:
            continue
        accepted.append(algorithm)
        misses = near_misses(algorithm)
        told = verify([Presented(text, service, jwks) for text in misses.values()])
        let_in |= {name for name, came_in in zip(misses, told, strict=True) if came_in}
    refused = f"{len(misses) - len(let_in)} of {len(misses)}"
    but = ", ".join(sorted(let_in)) or "—"
    return [verifier, versions()[verifier], ", ".join(accepted), refused, but]


@pytest.mark.parametrize("verifier", VERIFIERS)
def test_a_verifier_does_what_the_page_says(verifier: str) -> None:
    row = "| " + " | ".join(found(verifier)) + " |"

    assert row in PAGE.text.splitlines(), f"{PAGE.path} has to say: {row}"


def test_the_page_names_every_near_miss_and_no_other() -> None:
    listed = [line[2:] for line in PAGE.section("Near misses").splitlines() if line[:2] == "- "]

    assert listed == list(near_misses("ES256"))


def test_what_is_let_in_by_others_is_never_issued() -> None:
    """A list of audiences, which some read as any of them."""
    rows = [line.split(" | ") for line in PAGE.text.splitlines() if line.startswith("| ")]

    assert {row[-1].rstrip(" |") for row in rows[1:]} <= {"—", "two audiences"}
