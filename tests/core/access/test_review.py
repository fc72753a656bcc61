"""What a review tells of each grant, as JSON, as CSV and as text."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from broker.core.access import review_csv, review_text
from broker.core.access.grant import AccessGrant, Mark, Way
from broker.core.access.grants import StoredState, access_grants, denies_that_may_hold
from broker.core.access.review import AccessReview, Commit, LookUp
from broker.core.access.uses import LiveSecrets, Uses
from broker.core.blocks import Block, Blocks
from broker.core.conditions import Equals, Not, Present
from broker.core.managed_account import AccountOverride, ManagedAccount
from broker.core.policy import Mode, Policy, PolicySet
from tests.core.builders import (
    NOW,
    a_deny_policy,
    a_policy,
    a_policy_set,
    a_service,
    an_account,
    an_issuer,
    some_conditions,
)

SINCE = "2026-08-01T00:00:00.000Z"
READER = a_policy("web", {"repository": "acme/web"}, grants={"deploy-api": ["deploy:read"]})


def review(
    policy_set: PolicySet,
    *events: dict[str, Any],
    stored: StoredState | None = None,
    secrets: dict[str, LiveSecrets] | None = None,
) -> AccessReview:
    """Review with what a store knows, when there is something of the kind."""
    grants = access_grants(policy_set, stored, NOW)
    if not events and stored is None:
        return AccessReview(grants, NOW, policy_set.version)
    uses = Uses(grants)
    for each in events:
        uses.add(each)
    return AccessReview(grants, NOW, policy_set.version, None, LookUp(SINCE, uses, secrets or {}))


def the_grant(policy_set: PolicySet, stored: StoredState | None = None) -> AccessGrant:
    (grant,) = access_grants(policy_set, stored, NOW)
    return grant


def members(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> dict[str, Any]:
    (item,) = review(policy_set, *events, **more).as_json()["items"]
    found: dict[str, Any] = item
    return found


def cells(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> dict[str, str]:
    lines = "".join(review_csv.render(review(policy_set, *events, **more)))
    (row,) = csv.DictReader(io.StringIO(lines, newline=""))
    return row


def text(policy_set: PolicySet, *events: dict[str, Any], **more: Any) -> str:
    return review_text.render(review(policy_set, *events, **more))


def issued(**changes: Any) -> dict[str, Any]:
    """The event of a token for `deploy:read` by the policy `web`."""
    return {
        "type": "token.exchanged",
        "outcome": "success",
        "time": "2026-11-02T00:00:00.000Z",
        "service_account": "deploy-web",
        "audience": "https://deploy-api.example",
        "scopes": ["deploy:read"],
        "policies": ["web"],
    } | changes


# --- what a grant tells ---------------------------------------------------------------------------


def test_a_grant_says_who_may_do_what_from_where_and_who_answers_for_it() -> None:
    policy = a_policy(
        "web",
        {"repository": "acme/web", "ref": "refs/heads/main", "event_name": "pull_request"},
        grants={"deploy-api": ["deploy:read"]},
        owner="team-web",
        ticket="SEC-7",
        expires_at=NOW + 60,
        description="Reviews",
        place="web.yaml:7",
    )
    account = an_account(owner="team-platform", organization="acme", description="Deploys")
    found = members(a_policy_set(policy, accounts=[account]))

    assert (found["service"], found["scope"]) == ("deploy-api", "deploy:read")
    assert (found["service_account"], found["way"]) == ("deploy-web", "policy")
    assert (found["policy"], found["issuer"], found["place"]) == ("web", "github", "web.yaml:7")
    assert found["tenant"] == [
        {"claim": "repository", "operator": "equals", "expected": "acme/web"}
    ]
    assert [each["claim"] for each in found["conditions"]] == ["ref", "event_name"]
    assert found["outside_events"] == ["pull_request"]
    assert (found["owner"], found["account_owner"]) == ("team-web", "team-platform")
    assert (found["organization"], found["managed_by"]) == ("acme", "file")
    assert (found["ticket"], found["expires"]) == ("SEC-7", "2026-11-21T22:27:40.000Z")
    assert (found["description"], found["marks"]) == ("Reviews", [])


def test_what_issuer_and_service_require_is_told_apart() -> None:
    required = some_conditions({"repository_owner_id": "1", "runner_environment": "self-hosted"})
    service = a_service(require=some_conditions({"ref_protected": "true"}))
    found = members(a_policy_set(READER, issuers=[an_issuer(require=required)], services=[service]))

    assert [each["claim"] for each in found["tenant"]] == ["repository", "repository_owner_id"]
    assert found["conditions"] == []
    assert [each["claim"] for each in found["required"]] == ["runner_environment", "ref_protected"]


def test_an_issuer_without_preset_has_no_events_of_outsiders() -> None:
    policy = a_policy(
        issuer="ci", match={"organization_id": "7"}, grants={"deploy-api": ["deploy:read"]}
    )

    assert members(a_policy_set(policy, issuers=[an_issuer("ci")]))["outside_events"] == []


def test_the_description_is_the_accounts_where_a_policy_has_none() -> None:
    assert the_grant(a_policy_set(READER)).description is None
    described = a_policy_set(READER, accounts=[an_account(description="Deploys")])
    assert the_grant(described).description == "Deploys"


# --- what gives nothing now -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({"policies": {"web": replace(READER, mode=Mode.OBSERVE)}}, Mark.OBSERVED),
        ({"policies": {"web": replace(READER, expires_at=NOW)}}, Mark.EXPIRED),
        ({"issuers": {"github": an_issuer(enabled=False)}}, Mark.ISSUER_DISABLED),
        ({"service_accounts": {"deploy-web": an_account(enabled=False)}}, Mark.ACCOUNT_DISABLED),
        ({"service_accounts": {}}, Mark.ACCOUNT_NOT_LOOKED_UP),
    ],
)
def test_what_gives_nothing_is_marked_and_not_dropped(changes: dict[str, Any], mark: Mark) -> None:
    policy_set = replace(a_policy_set(READER), **changes)

    assert the_grant(policy_set).marks == (mark,)
    assert cells(policy_set)["marks"] == mark.value
    assert "  [" in text(policy_set)


def test_an_account_that_the_store_does_not_have_is_missing() -> None:
    missing = a_policy_set(READER, accounts=[])

    assert the_grant(missing, StoredState()).marks == (Mark.ACCOUNT_MISSING,)
    found = members(missing, stored=StoredState())
    assert (found["managed_by"], found["organization"], found["description"]) == (None,) * 3


@pytest.mark.parametrize(
    ("where", "marked"),
    [
        ({"issuer": "github"}, ["by policy"]),
        ({"policy": "web"}, ["by policy"]),
        ({"service_account": "deploy-web"}, ["by policy", "by credentials"]),
        ({"repository": "acme/web"}, []),
        ({"issuer": "gitlab"}, []),
    ],
)
def test_what_a_block_stops_whole_is_marked(where: dict[str, str], marked: list[str]) -> None:
    account = an_account(grants={"deploy-api": ["deploy:read"]}, secrets_allowed=True)
    blocks = Blocks([Block("b-1", where, "INC-7", NOW, "admin")])
    found = access_grants(a_policy_set(READER, accounts=[account]), StoredState(blocks=blocks), NOW)

    names = {Way.POLICY: "by policy", Way.CLIENT_CREDENTIALS: "by credentials"}
    assert {names[each.way] for each in found if each.marks == (Mark.BLOCKED,)} == set(marked)


def test_an_issuer_that_the_store_switches_off_is_marked() -> None:
    stored = StoredState(issuers_off=frozenset({"github", "gone"}))

    assert the_grant(a_policy_set(READER), stored).marks == (Mark.ISSUER_DISABLED,)


def test_a_token_without_scopes_is_a_grant_of_its_own() -> None:
    service = a_service(scopes={})
    by_account = a_policy_set(
        a_policy(), services=[service], accounts=[an_account(grants={"deploy-api": []})]
    )
    by_policy = a_policy_set(a_policy(grants={"deploy-api": []}), services=[service], accounts=[])
    nothing = a_policy_set(
        a_policy(grants={"deploy-api": ["deploy:gone"]}), services=[service], accounts=[]
    )

    assert the_grant(by_account).scope is None
    assert the_grant(by_policy).scope is None
    assert "deploy-api  (no scope)" in text(by_account)
    assert access_grants(nothing, None, NOW) == ()


# --- deny policies --------------------------------------------------------------------------------


def test_deny_policies_that_may_hold_for_the_same_jobs_are_named() -> None:
    denies = [
        a_deny_policy("no-web", {"ref": Not(Equals("refs/heads/main"))}),
        a_deny_policy("no-shop", {"repository": "acme/shop"}),
        a_deny_policy("no-forks", {"event_name": "pull_request"}),
        a_deny_policy("over", {"ref": "x"}, expires_at=NOW),
        a_deny_policy("watched", {"ref": "x"}, mode=Mode.OBSERVE),
        a_deny_policy("elsewhere", {"ref": "x"}, services=frozenset({"other"})),
        a_deny_policy("here", {"ref": "x"}, services=frozenset({"deploy-api"})),
    ]

    assert the_grant(a_policy_set(READER, *denies)).denied_by == ("here", "no-web")


def test_a_claim_that_may_be_a_list_excludes_nothing() -> None:
    def both(claim: str, issuer: str) -> bool:
        allow: Policy = a_policy("a", {claim: "x"}, issuer=issuer)
        deny: Policy = a_deny_policy("d", {claim: "y"}, issuer=issuer)
        return denies_that_may_hold(allow, [deny], an_issuer(issuer)) == [deny]

    assert not both("repository", "github")
    assert both("groups", "github")
    assert both("organization_id", "ci")
    assert not both("sub", "ci")
    assert denies_that_may_hold(
        a_policy("a", {"ref": "x"}), [a_deny_policy("d", {"ref": Present()})], an_issuer()
    )


# --- credentials ----------------------------------------------------------------------------------


def with_secrets(**changes: Any) -> PolicySet:
    account = an_account(grants={"deploy-api": ["deploy:read"]}, secrets_allowed=True, **changes)
    return a_policy_set(accounts=[account])


def test_client_secrets_are_another_way_to_the_same_rights() -> None:
    secrets = {"deploy-web": LiveSecrets(2, NOW - 60.0)}
    found = members(with_secrets(), stored=StoredState(), secrets=secrets)

    assert (found["way"], found["policy"], found["issuer"]) == ("client_credentials", None, None)
    assert (found["tenant"], found["conditions"], found["required"]) == ([], [], [])
    assert found["outside_events"] == []
    assert found["credentials"] == {
        "registered_keys": False,
        "looked_up": True,
        "live_secrets": 2,
        "secret_last_used_at": "2026-11-21T22:25:40.000Z",
    }
    shown = text(with_secrets(), stored=StoredState(), secrets=secrets)
    assert "client secrets: 2 live (used 2026-11-21T22:25Z); not used since then" in shown
    assert "client secrets: 0 live;" in text(with_secrets(), stored=StoredState())


def test_registered_keys_are_told_of() -> None:
    keys = with_secrets(jwks_uri="https://keys.example/jwks")

    assert members(keys)["credentials"] == {"registered_keys": True, "looked_up": False}
    assert "client secrets: not looked up, a registered key;" in text(keys)
    assert cells(keys)["registered_keys"] == "true"
    assert cells(keys)["live_secrets"] == "not looked up"


def test_what_credentials_never_give_is_no_grant() -> None:
    assert access_grants(with_secrets(instances=("repository_id",)), None, NOW) == ()


def test_accounts_of_the_store_are_there_and_switched_off_ones_marked() -> None:
    managed = ManagedAccount(
        "m-1",
        "i",
        "Cron",
        organization="acme",
        grants={"deploy-api": ("deploy:read",)},
        expires_at=NOW + 60.0,
    )
    over = replace(managed, client_id="m-2", expires_at=float(NOW))
    override = AccountOverride("deploy-web", enabled=False, updated_at=NOW)
    service = a_service(organizations=("acme",))
    policy_set = a_policy_set(READER, services=[service])
    stored = StoredState((managed, over), (override,))

    found = access_grants(policy_set, stored, NOW)

    assert [(e.service_account, e.way, e.managed_by, e.marks) for e in found] == [
        ("deploy-web", Way.POLICY, "file", (Mark.ACCOUNT_DISABLED,)),
        ("m-1", Way.CLIENT_CREDENTIALS, "api", ()),
        ("m-2", Way.CLIENT_CREDENTIALS, "api", (Mark.ACCOUNT_DISABLED,)),
    ]
    assert found[1].account_expires_at == NOW + 60.0
    assert found[1].owners == (None, None)
    assert "account until 2026-11-21T22:27Z" in text(policy_set, stored=stored)


# --- uses -----------------------------------------------------------------------------------------


def test_uses_are_counted_by_scope_account_and_policy() -> None:
    found = members(
        a_policy_set(READER),
        issued(),
        issued(time="2026-11-01T00:00:00.000Z"),
        issued(scopes=["deploy:write"]),
        issued(policies=["other"]),
        issued(policies=[], type="token.issued"),
        issued(audience="https://elsewhere.example"),
        issued(type="token.explained"),
        issued(outcome="refused"),
    )

    assert found["used"] == {
        "looked_up": True,
        "last_used_at": "2026-11-02T00:00:00.000Z",
        "tokens": 2,
    }


def test_tokens_by_credentials_are_counted_apart() -> None:
    used = members(with_secrets(), issued(policies=[], type="token.issued"), issued())["used"]

    assert used["tokens"] == 1


def test_not_looked_up_is_not_never() -> None:
    assert members(a_policy_set(READER))["used"] == {"looked_up": False}
    assert cells(a_policy_set(READER))["last_used_at"] == "not looked up"
    assert cells(a_policy_set(READER))["live_secrets"] == ""
    assert "last used: not looked up" in text(a_policy_set(READER))
    row = cells(a_policy_set(READER), issued(policies=["other"]))
    assert (row["last_used_at"], row["tokens"], row["events_since"]) == ("", "0", SINCE)


# --- forms ----------------------------------------------------------------------------------------


def test_the_text_says_it_all_in_a_few_lines() -> None:
    policy = replace(READER, owner="team-web", ticket="SEC-7", place="web.yaml:7", description="Ok")
    deny = a_deny_policy("no-x", {"ref": "x"})
    found = review(a_policy_set(policy, deny), issued())
    committed = replace(found, commit=Commit("c0ffee", changed=True))

    assert review_text.render(committed) == (
        f"as of 2026-11-21T22:26:40.000Z, policy set {'0' * 64}\n"
        "commit c0ffee, with changes that are not committed\n"
        f"uses since {SINCE}\n"
        "\n"
        "deploy-api  deploy:read\n"
        "  deploy-web by policy web of github (web.yaml:7)\n"
        "    Ok\n"
        "    tenant: repository: acme/web\n"
        "    denied by: no-x\n"
        "    owner: team-web, ticket SEC-7\n"
        "    last used: 2026-11-02T00:00:00.000Z, 1 token\n"
    )
    two = review_text.render(review(a_policy_set(policy), issued(), issued()))
    assert two.endswith(", 2 tokens\n")


def test_nothing_is_told_as_nothing() -> None:
    found = review_text.render(review(a_policy_set()))

    assert found.endswith("\n\nnothing is granted\n")


def test_the_commit_is_a_member_only_where_there_is_one() -> None:
    found = review(a_policy_set())

    assert "commit" not in found.as_json()
    clean = replace(found, commit=Commit("c0ffee", changed=False))
    assert clean.as_json()["files_changed"] is False
    assert "commit c0ffee\n" in review_text.render(clean)


def test_every_column_has_a_value_somewhere() -> None:
    told = set(review(a_policy_set(READER), issued()).as_json()["items"][0])
    credentials = members(with_secrets(), stored=StoredState())["credentials"]
    about = set(AccessReview((), NOW, "", Commit("c", changed=False)).about())
    used = members(a_policy_set(READER), issued())["used"]

    everything = {*told, *credentials, *used, *about} - {"looked_up", "credentials", "used"}
    assert set(review_csv.COLUMNS) == everything


EVIL = "=HYPERLINK(1)\x1b[31m\u202e\n"


def test_what_others_named_is_no_formula_and_no_order_to_a_terminal() -> None:
    policy = replace(READER, description=EVIL, owner="+1", ticket="@SUM", place="-x\r")
    evil = a_policy_set(policy)

    row = cells(evil)
    assert row["description"].startswith("'=HYPERLINK")
    assert (row["owner"], row["ticket"], row["place"]) == ("'+1", "'@SUM", "'-x\\r")
    shown = review_text.render(review(evil), ascii_only=True)
    assert shown.isascii()
    assert "\x1b" not in text(evil)
    assert "\u202e" not in text(evil)
    assert len(text(evil).splitlines()) == len(text(a_policy_set(READER)).splitlines()) + 2


def test_the_order_is_that_of_the_names() -> None:
    services = [a_service("b"), a_service("a")]
    grants = {"a": ["deploy:write", "deploy:read"], "b": ["deploy:read"]}
    accounts = [an_account("y", grants, secrets_allowed=True), an_account("x", grants)]
    policies = [a_policy(name, service_account=who) for name, who in [("2", "y"), ("1", "y")]]
    one = access_grants(a_policy_set(*policies, services=services, accounts=accounts), None, NOW)
    other = access_grants(
        a_policy_set(*policies[::-1], services=services[::-1], accounts=accounts[::-1]), None, NOW
    )

    assert [each.key for each in one] == [each.key for each in other]
    assert [each.order for each in one] == sorted(each.order for each in one)
    assert review(a_policy_set()).of(lambda _: True).grants == ()
