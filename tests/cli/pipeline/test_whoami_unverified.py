"""`broker whoami` shows claims that nobody has verified, and says so."""

import base64
import json

import pytest

from tests.cli.conftest import Broker


def forged(**claims: object) -> str:
    """Write a token that anybody could write: its signature is none."""
    parts = ({"alg": "RS256"}, {"iss": "https://ci.example", "sub": "job", **claims})
    written = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in parts]
    return ".".join([*(each.rstrip("=") for each in written), "c2lnbmF0dXJl"])


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith("GITHUB_")}
    token = forged(ref="refs/heads/main\x1b[2K", exp=1_000_000_000_000)
    # Port 9 answers nobody: whoever has an ID token need not ask the broker.
    return kept | {"BROKER_ID_TOKEN": token, "BROKER_URL": "http://127.0.0.1:9"}


def test_the_claims_of_a_forged_token_are_not_shown_as_true(
    broker: Broker, environment: dict[str, str]
) -> None:
    done = broker("whoami")

    assert (done.returncode, done.stderr) == (0, "")
    source, mark, *claims = done.stdout.splitlines()
    assert source == "source: a given ID token"
    assert mark.startswith("not verified: ")
    assert claims[0].split() == ["iss", "https://ci.example"]
    assert "\\x1b[2K" in done.stdout
    assert "\x1b" not in done.stdout
    assert environment["BROKER_ID_TOKEN"] not in done.stdout


def test_programs_are_told_so_too(broker: Broker, environment: dict[str, str]) -> None:
    done = broker("whoami", "--json")

    shown = json.loads(done.stdout)
    assert (shown["source"], shown["verified"]) == ("a given ID token", False)
    assert shown["claims"]["sub"] == "job"
    assert environment["BROKER_ID_TOKEN"] not in done.stdout
