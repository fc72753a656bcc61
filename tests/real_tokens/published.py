"""Real tokens and claim sets that their owners published, where they are at hand.

They are read from a folder beside the project and never become part of it: without the folder the
tests that need it are skipped.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parents[3] / "shared" / "fixtures"

needs_published_tokens: Final = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the published tokens are not beside the project"
)


def claim_sets() -> set[str]:
    """Name every claim set, as `github/NAME` or `gitlab/NAME`."""
    return {
        f"{platform}/{path.stem}"
        for platform in ("github", "gitlab")
        for path in (FOLDER / platform).glob("*.json")
    }


def claims_of(name: str) -> dict[str, Any]:
    """Read the claims of one set."""
    document = json.loads((FOLDER / f"{name}.json").read_text())
    claims: dict[str, Any] = document["claims"]
    return claims


def signed_token(name: str) -> str:
    """Read a token as its issuer signed it."""
    return (FOLDER / "raw" / f"{name}.jwt").read_text().strip()


def key_set(name: str) -> bytes:
    """Read a JWKS document as its issuer published it."""
    return (FOLDER / "jwks" / f"{name}.json").read_bytes()
