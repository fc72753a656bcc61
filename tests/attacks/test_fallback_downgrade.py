"""Rows 125 and 145: a stored credential reaches an account that is meant for CI jobs alone."""

from pathlib import Path

from tests.attacks.refusals import assert_refused
from tests.client_keys import KeyPair, asserting
from tests.client_secrets import ask, give_to_file_account
from tests.running_broker import POLICIES, RunningBroker
from tests.service_tokens import verified

FORBIDDEN = POLICIES
ALLOWED = POLICIES.replace("    metadata: {{team: web}}", "    secrets: allowed")
REFUSED = "client_unknown_or_bad_secret"


def test_what_a_file_account_never_allowed_opens_nothing(live_broker: RunningBroker) -> None:
    secret = give_to_file_account(live_broker, "deploy-web")

    assert_refused(live_broker, ask(live_broker, "deploy-web", secret), REFUSED)
    for wrong in ("", "x", "sa_live_"):
        answer = ask(live_broker, "deploy-web", wrong)
        assert "access_token" not in answer.json()
        assert answer.json()["error"] == "invalid_client"


def test_secrets_end_when_the_file_forbids_them(tmp_path: Path) -> None:
    with RunningBroker(tmp_path, ALLOWED).serving() as broker:
        secret = give_to_file_account(broker, "deploy-web")
        verified(broker, ask(broker, "deploy-web", secret))

        file = tmp_path / "policies" / "octo.yaml"
        allowed = file.read_text()
        file.write_text(allowed.replace("    secrets: allowed\n", ""))
        broker.reload(forced=False)
        assert_refused(broker, ask(broker, "deploy-web", secret), REFUSED)
        verified(broker, broker.exchange(broker.github_token()))

        file.write_text(allowed)
        broker.reload(forced=False)
        verified(broker, ask(broker, "deploy-web", secret))


def test_a_key_of_nobody_opens_no_account(live_broker: RunningBroker) -> None:
    pair = KeyPair.made()
    for client_id in ("deploy-web", "nobody"):
        answer = asserting(live_broker, pair.assertion(live_broker, client_id))

        assert_refused(live_broker, answer, REFUSED)
