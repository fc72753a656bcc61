"""Row 56: characters that look, fold or print like the ones of a policy."""

import json
from collections.abc import Iterator

import pytest

from tests.attacks.hand_made_tokens import payload_of, with_payload
from tests.attacks.refusals import assert_refused
from tests.running_broker import RunningBroker
from tests.service_tokens import verified
from tests.special_brokers import special_broker

ARTIFACTS = "https://artifacts.example.com"
POLICIES = """\
service_accounts:
  publisher: {grants: {artifacts: [artifacts:write]}}
policies:
  kitchens:
    service_account: publisher
    issuer: github
    match: {repository_id: 456789, environment: [kitchens, {glob: "kiosk*"}, {regex: "desks?"}]}
"""

LOOKALIKES = {
    "Cyrillic o": "\u043ecto-org/octo-repo",
    "fullwidth": "\uff4fcto-org/octo-repo",
    "mathematical": "\U0001d428cto-org/octo-repo",
    "ligature": "octo-org/octo-repo\ufb01",
    "zero width": "octo-\u200borg/octo-repo",
    "right to left": "octo-org/\u202eoper-otco",
    "combining": "o\u0301cto-org/octo-repo",
    "next line": "octo-org/octo-repo\u0085",
    "NUL": "octo-org/octo-repo\u0000",
    "newline": "octo-org/octo-repo\n",
    "tab": "octo-org/octo-repo\t",
    "escape": "\u001b[2Kocto-org/octo-repo",
    "delete": "octo-org/octo-repo\u007f",
    "fullwidth solidus": "octo-org\uff0focto-repo",
}


@pytest.mark.parametrize("name", LOOKALIKES)
@pytest.mark.parametrize("claim", ["repository", "repository_owner", "sub"])
def test_what_names_the_tenant_is_printable_ascii(
    live_broker: RunningBroker, claim: str, name: str
) -> None:
    payload = payload_of(live_broker) | {claim: LOOKALIKES[name]}

    answer = live_broker.exchange(with_payload(live_broker, json.dumps(payload)))

    assert_refused(live_broker, answer, "claim_invalid")


@pytest.mark.parametrize("claim", ["ref", "environment"])
@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\u0085", "\u0000", "\n", "\u001b"])
def test_no_name_of_an_author_brings_what_nobody_sees_into_a_subject(
    live_broker: RunningBroker, claim: str, character: str
) -> None:
    """What an author names may be beyond ASCII there, as `größe`, and is still printable."""
    answers = []
    for name in ("größe", f"a{character}b"):
        changes = {claim: name, "sub": f"repo:octo-org/octo-repo:{claim}:{name}"}
        token = with_payload(live_broker, json.dumps(payload_of(live_broker) | changes))
        answers.append(live_broker.exchange(token))

    assert answers[0].json().get("reason") in (None, "no_policy_matched")
    assert_refused(live_broker, answers[1], "claim_invalid")


@pytest.mark.parametrize(
    "digits", ["\u0664\u0665\u0666\u0667\u0668\u0669", "45678\u2089"], ids=repr
)
def test_so_is_its_id(live_broker: RunningBroker, digits: str) -> None:
    payload = payload_of(live_broker) | {"repository_id": digits}

    answer = live_broker.exchange(with_payload(live_broker, json.dumps(payload)))

    assert_refused(live_broker, answer, "claim_invalid")


@pytest.mark.parametrize("claim", ["repository", "workflow", "sub"])
@pytest.mark.parametrize("surrogate", ["\\ud800", "\\udfff", "\\udc00\\ud800"])
def test_a_lone_surrogate_is_no_text(
    live_broker: RunningBroker, claim: str, surrogate: str
) -> None:
    payload = payload_of(live_broker)
    payload.pop(claim)
    text = f'{json.dumps(payload)[:-1]}, "{claim}": "octo-org/octo-repo{surrogate}"}}'

    answer = live_broker.exchange(with_payload(live_broker, text))

    # Before the signature is looked at, so one counted event for all of them.
    assert answer.json()["reason"] == "claim_invalid"
    assert answer.status_code == 400
    events = live_broker.events()
    (event,) = (event for event in events if event["id"] == answer.json()["decision_id"])
    assert event["count"] >= 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1"])
def test_a_payload_is_utf_8_without_a_mark(live_broker: RunningBroker, encoding: str) -> None:
    payload = json.dumps(payload_of(live_broker, workflow="d\u00e9ploiement"), ensure_ascii=False)

    answer = live_broker.exchange(with_payload(live_broker, payload.encode(encoding)))

    assert_refused(live_broker, answer, "malformed_token")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker"), POLICIES) as broker:
        yield broker


@pytest.mark.parametrize(
    "environment",
    [
        "\u212aitchens",
        "kitchen\u017f",
        "\u212aiosk",
        "de\u017fk",
        "des\u212a",
        "desk\u017f",
        "\uff4bitchens",
        "kitchens\u200d",
        "desk\n",
        "desks\u0000",
    ],
    ids=repr,
)
def test_case_folds_within_ascii_alone(broker: RunningBroker, environment: str) -> None:
    token = broker.github_token(environment=environment)

    answer = broker.exchange(token, audience="artifacts", client_id="publisher")

    assert answer.json()["reason"] in ("no_policy_matched", "claim_invalid")
    assert_refused(broker, answer, answer.json()["reason"])


@pytest.mark.parametrize("environment", ["kitchens", "KITCHENS", "Kiosk 7", "DESKS", "desk"])
def test_and_there_it_folds(broker: RunningBroker, environment: str) -> None:
    token = broker.github_token(environment=environment)

    answer = broker.exchange(token, audience="artifacts", client_id="publisher")

    verified(broker, answer, audience=ARTIFACTS)


@pytest.mark.parametrize("branch", ["refs/heads/größe", "refs/heads/\u202egnp.exe"])
def test_a_branch_may_be_named_in_any_language_and_matches_nothing_else(
    live_broker: RunningBroker, branch: str
) -> None:
    answer = live_broker.exchange(live_broker.github_token(ref=branch))

    assert answer.json()["reason"] in ("no_policy_matched", "claim_invalid")
    assert answer.status_code == 400
