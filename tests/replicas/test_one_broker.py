"""What is done at one replica holds at the other: keys, spent tokens, accounts, policies."""

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from tests.replicas.several_brokers import ISSUER, POLICIES, Replica, a_gitlab_token, a_token
from tests.workers.several_workers import environment, until

Both = list[Replica]


def signed_by(replica: Replica) -> str:
    """Give the id of the key that signs there."""
    header = jwt.get_unverified_header(replica.token())
    return str(header["kid"])


def command(replica: Replica, *arguments: str) -> str:
    """Run a command as on the machine of a replica."""
    done = subprocess.run(
        [sys.executable, "-m", "broker", *arguments],
        cwd=replica.running.home,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("rotating", [0, 1])
def test_a_rotation_at_one_is_a_rotation_at_both(both: Both, admin: str, rotating: int) -> None:
    one, other = both[rotating], both[1 - rotating]
    assert one.key_ids() == other.key_ids()
    before = signed_by(other)
    assert signed_by(one) == before

    answer = one.api(admin, "POST", "keys/rotate", json={"now": True})

    assert answer.status_code == 200, answer.text
    after = signed_by(other)
    assert after == signed_by(one) != before
    until(lambda: one.key_ids() == other.key_ids())
    assert {before, after} <= set(other.key_ids())


def test_a_token_of_one_is_verified_by_the_keys_of_the_other(both: Both) -> None:
    one, other = both
    keys = other.http.get("/.well-known/jwks.json").json()

    token = one.token()

    kid = jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWKSet.from_dict(keys)[kid]
    audience = "https://deploy.example.com"
    claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=audience)
    assert claims["sub"] == "deploy-web"


@pytest.mark.parametrize("first", [0, 1])
def test_a_token_spent_at_one_is_spent_at_the_other(both: Both, first: int) -> None:
    token = a_token()

    assert both[first].exchange(token).status_code == 200
    again = both[1 - first].exchange(token)
    assert (again.status_code, again.json()["reason"]) == (400, "token_already_used")


def test_of_many_copies_of_a_token_at_both_at_once_one_wins(both: Both) -> None:
    tokens = [a_token() for _ in range(12)]

    def present(number: int) -> list[tuple[int, str | None]]:
        answers = [both[number % 2].exchange(token) for token in tokens]
        return [(each.status_code, each.json().get("reason")) for each in answers]

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(present, range(4)))

    for of_one_token in zip(*told, strict=True):
        assert Counter(of_one_token) == {(200, None): 1, (400, "token_already_used"): 3}


def test_an_account_made_at_one_is_switched_off_and_deleted_at_the_other(
    both: Both, admin: str
) -> None:
    one, other = both
    body = {"name": "x", "client_id": "cron", "grants": {"deploy-api": ["deploy:write"]}}
    made = one.api(admin, "POST", "service-accounts", json=body).json()
    asked = {
        "grant_type": "client_credentials",
        "client_id": "cron",
        "client_secret": made["client_secret"],
    }

    def status(replica: Replica) -> int:
        return replica.http.post("/oauth/token", data=asked).status_code

    assert [status(each) for each in both] == [200, 200]
    other.api(admin, "PATCH", "service-accounts/cron", json={"enabled": False})
    assert [status(each) for each in both] == [400, 400]
    other.api(admin, "PATCH", "service-accounts/cron", json={"enabled": True})
    # Who holds it for switched off refuses, and commits nothing, until it has looked.
    until(lambda: [status(each) for each in both] == [200, 200])
    assert one.api(admin, "DELETE", "service-accounts/cron").status_code == 204
    assert [status(each) for each in both] == [400, 400]


def test_an_account_of_the_files_is_switched_off_at_both(both: Both, admin: str) -> None:
    one, other = both

    one.api(admin, "PATCH", "service-accounts/deploy-web", json={"enabled": False})
    try:
        assert other.exchange().json()["reason"] == "account_disabled"
    finally:
        other.api(admin, "PATCH", "service-accounts/deploy-web", json={"enabled": True})
    assert one.exchange().status_code == 200


def test_an_issuer_of_the_files_is_switched_off_at_both(both: Both, admin: str) -> None:
    one, other = both
    assert other.exchange(a_gitlab_token()).status_code == 200

    one.api(admin, "PATCH", "issuers/gitlab", json={"enabled": False})
    try:
        # A refusal before the signature commits nothing, so the other has to look by itself.
        until(lambda: other.exchange(a_gitlab_token()).json().get("reason") == "issuer_disabled")
        assert other.exchange().status_code == 200
    finally:
        other.api(admin, "PATCH", "issuers/gitlab", json={"enabled": True})
    until(lambda: one.exchange(a_gitlab_token()).status_code == 200)


def lives(both: Both) -> list[int]:
    """Tell how long service tokens of each live, in seconds."""
    return [each.exchange().json()["expires_in"] for each in both]


def versions(both: Both, admin: str) -> set[str]:
    """Name the policy sets that are in force."""
    return {each.api(admin, "GET", "policies").json()["version"] for each in both}


def write(both: Both, text: str) -> None:
    for each in both:
        draft = each.running.home / "draft"
        draft.write_text(text)
        draft.rename(each.running.home / "policies" / "all.yaml")


def test_a_reload_at_one_is_followed_by_the_other(both: Both, admin: str) -> None:
    one, other = both
    assert lives(both) == [600, 600]
    write(both, POLICIES.replace("  main:\n", "  main:\n    ttl: 7m\n"))

    answer = other.api(admin, "POST", "policies/reload")

    assert answer.status_code == 200, answer.text
    assert lives(both) == [420, 420]
    assert len(versions(both, admin)) == 1
    write(both, POLICIES)
    assert one.api(admin, "POST", "policies/reload").status_code == 200
    assert lives(both) == [600, 600]
    assert [each.ready() for each in both] == [(200, "ready")] * 2


def test_a_deny_policy_that_is_dropped_by_intent_at_one_leaves_no_other_degraded(
    both: Both, admin: str
) -> None:
    """The files of both change; only one of the two is told that it is meant."""
    one = both[0]
    deny = "  no-forks: {effect: deny, issuer: github, match: {ref: refs/heads/x}}\n"
    with_deny = POLICIES.replace("policies:\n", "policies:\n" + deny)
    write(both, with_deny)
    assert one.api(admin, "POST", "policies/reload").status_code == 200
    # The other drops nothing that it has not taken in.
    until(lambda: len(versions(both, admin)) == 1)
    write(both, POLICIES)
    until(lambda: [each.ready() for each in both] == [(200, "degraded")] * 2)

    assert one.api(admin, "POST", "policies/reload").status_code == 200

    until(lambda: [each.ready() for each in both] == [(200, "ready")] * 2)


def test_the_audit_of_both_is_one_chain(both: Both, admin: str) -> None:
    one, other = both
    ids = {each.exchange().json()["token_id"] for each in both * 2}

    verified = json.loads(command(other, "audit", "verify", "--json"))
    assert verified["ok"], verified
    by_api = one.api(admin, "POST", "audit-logs/verify").json()
    assert by_api["ok"], by_api
    assert by_api["events"] >= verified["events"] > len(ids)
    for each in both:
        listed = each.api(admin, "GET", "audit-logs?type=token.exchanged&limit=20").json()
        assert ids <= {event["token_id"] for event in listed["items"]}
