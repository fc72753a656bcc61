"""A broker that was taken over, and is asked for a decision: it wants the terminal of who asks.

What it answers is held against its own hash, which it can make fit anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner, Result

from broker.cli.app import app
from broker.cli.audit.served_decision import _is_whole
from broker.core.audit import chain_hash
from broker.core.decision_text import decision_text
from broker.core.recorded_decision import explain_event
from tests.client.stand_in import a_token, an_id_token, answering, as_json
from tests.consumers.loopback_server import Answer
from tests.core.test_recorded_decision import recorded

WANTED = "01a20b88-c550-7c2b-869f-de7a5e664017"
ESCAPES = "\x1b[2K\x1b[1A\u202e\npermitted: token.exchanged"
DEEP = "[" * 100_000


def asked(url: str, folder: Path, *arguments: str) -> Result:
    token = folder / "token"
    token.write_text(an_id_token(aud="https://broker.example"))
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies/none.yaml").write_text("{}\n")
    return CliRunner().invoke(
        app,
        ["audit", "explain", *(arguments or [WANTED]), "--server", url, "--id-token-file",
         str(token)],
        env={"BROKER_POLICIES": str(folder / "policies"), "BROKER_ISSUER": url},
        catch_exceptions=False,
    )  # fmt: skip


def whole(**changes: Any) -> dict[str, Any]:
    """An event of all members, with a hash that fits."""
    event = {"seq": 1, **recorded(), "id": WANTED, "prev": "0" * 64, **changes}
    return {**event, "hash": chain_hash(event)}


@pytest.mark.parametrize(
    "changes",
    [{"reason": ESCAPES, "outcome": "refused"}, {"count": ESCAPES}, {"policy_set": ESCAPES}],
)
def test_no_note_of_an_event_is_an_order_to_the_terminal(changes: Mapping[str, Any]) -> None:
    event = {**recorded(), **changes}

    shown = decision_text(event, explain_event(event, None))
    assert all(line.isprintable() for line in shown.splitlines())
    assert "\npermitted:" not in shown


@pytest.mark.parametrize("body", [DEEP, '{"items":' + DEEP, "{", "[]", "NaN"])
def test_an_answer_without_end_ends_with_a_message(body: str, tmp_path: Path) -> None:
    page = Answer(body.encode(), 200, {"content-type": "application/json"})
    with answering(a_token(), page) as broker:
        done = asked(broker.url, tmp_path)

    assert done.exit_code not in (0, 1)
    assert done.stderr.startswith("broker: ") or "answered with 200" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("claims", [{"exp": 10**400}, {"ref": json.loads("[" * 40 + "]" * 40)}])
def test_claims_that_no_token_has_are_not_explained(claims: dict[str, Any]) -> None:
    event = whole(claims=claims)

    assert not _is_whole(event)
    assert _is_whole(whole())


def test_a_link_of_another_broker_brings_no_token_there(tmp_path: Path) -> None:
    with answering(a_token()) as thief, answering(a_token(), as_json({"items": []})) as broker:
        done = asked(broker.url, tmp_path, f"{thief.url}/d/{WANTED}")

        assert done.exit_code == 1
        assert "there is no such decision" in done.stderr
        assert thief.requests == []
        assert urlsplit(broker.url).port != urlsplit(thief.url).port
