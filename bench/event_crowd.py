"""A store with audit events in great number, written in bulk: their chain is not computed.

What is rare lies at the beginning, so that whoever looks from the newest on has to pass all else.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from broker.core.audit import AuditEvent, SerializedEvent, rfc3339
from broker.stores.sqlite_file import open_for_writing
from broker.system import UuidV7Identifiers

BEGINS = 1_787_500_000.0
ENDS = BEGINS + 90 * 86_400
ACCOUNTS = 1000
SELDOM = 5_000
"""One of so many of the first tenth of the events is of a rare kind."""

_CLAIMS = {
    "actor": "octocat",
    "event_name": "push",
    "iss": "https://token.actions.githubusercontent.com",
    "job_workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
    "ref": "refs/heads/main",
    "repository": "octo-org/octo-repo",
    "repository_id": "456789",
    "repository_owner": "octo-org",
    "repository_owner_id": "123456",
    "run_id": "37824901043",
    "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
    "workflow": "Deploy",
    "workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
    "workflow_sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
}
PERMIT = AuditEvent(
    id="?id?",
    time=BEGINS,
    type="token.exchanged",
    outcome="success",
    request_id="01a20038-0100-7165-b3c8-674ce14f21aa",
    client_address="192.0.2.7",
    issuer="?issuer?",
    subject="repo:octo-org/octo-repo:ref:refs/heads/main",
    platform="github",
    claims=_CLAIMS,
    service_account="?account?",
    sub="?account?",
    policies=("?policy?",),
    requested={"audience": ["deploy-api"], "client_id": None, "expires_in": None, "scope": None},
    audience="https://deploy.example.com",
    scopes=("deploy:read", "deploy:write"),
    ttl=600,
    token_id="?id?",
    subject_token_id="ce3d71c2504e944212821174516daee7024006f8740a541c332502382f6027a8",
    policy_set="3b9c127e6776388a69c023e17c5056d95b1a44ab0053c376492478ea2b3aa02d",
    duration_ms=0.4,
)
_REFUSAL = replace(
    PERMIT,
    type="token.refused",
    outcome="refused",
    reason="no_policy_matched",
    service_account=None,
    sub=None,
    policies=(),
    audience=None,
    scopes=None,
    ttl=None,
    token_id=None,
)
_FAULT = replace(_REFUSAL, outcome="error", reason="issuer_unavailable")
_RELOAD = AuditEvent(
    id="?id?", time=BEGINS, type="policy.reloaded", outcome="success", actor="file change"
)
_KINDS = (
    PERMIT,
    replace(PERMIT, policies=("?policy?", "everybody")),
    _REFUSAL,
    replace(_REFUSAL, type="token.explained", outcome="success", reason=None),
    _RELOAD,
)
_WEIGHTS = (88, 7, 3.9, 1, 0.1)
_TIME = rfc3339(BEGINS)
_SELDOM = (_FAULT, replace(_RELOAD, type="key.rotated"), PERMIT)


def fill(path: Path, events: int) -> None:
    """Make a store and put events into it, evenly over 90 days; the indexes come at the end."""
    connection = open_for_writing(path)
    connection.pragma("journal_mode", "off")
    connection.pragma("synchronous", "off")
    connection.pragma("cache_size", -1_000_000)
    indexes = list(
        connection.execute(
            "SELECT name, sql FROM sqlite_schema"
            " WHERE type = 'index' AND tbl_name = 'events' AND sql IS NOT NULL"
        )
    )
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", _rows(events))
    for _, statement in indexes:
        connection.execute(statement)
    connection.execute("COMMIT")
    connection.pragma("journal_mode", "wal")
    connection.close()


def _rows(events: int) -> Iterator[tuple[int, str, str, str]]:
    rng = random.Random(5)
    draw = UuidV7Identifiers(rng.randbytes)
    kinds = [_parts(kind) for kind in _KINDS]
    seldom = [_parts(kind) for kind in _SELDOM]
    claims = SerializedEvent.of(PERMIT).claims
    for sequence in range(1, events + 1):
        now = BEGINS + (ENDS - BEGINS) * sequence / events
        # Some accounts have most of the events, as in life.
        number = int(ACCOUNTS * rng.random() ** 3)
        account, issuer = f"account-{number}", "github" if number % 7 else "gitlab"
        if sequence % SELDOM == 0 and sequence <= events / 10:
            kind = seldom[sequence // SELDOM % len(seldom)]
            account, issuer = "seldom", "seldom"
        else:
            [kind] = rng.choices(kinds, _WEIGHTS)
        body = (
            f'{{"seq":{sequence},{kind}'.replace("?id?", draw.new(now))
            .replace("?account?", account)
            .replace("?policy?", f"{account}-main")
            .replace("?issuer?", issuer)
            .replace(_TIME, rfc3339(now))
        )
        yield sequence, body, claims, f"{sequence:064x}"


def _parts(kind: AuditEvent) -> str:
    event = SerializedEvent.of(kind)
    return (
        f'{event.before_claims}"claims":"{event.claims_digest}"{event.after_claims}'
        f',"prev":"{0:064x}"}}'
    )
