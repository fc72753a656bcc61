"""Who may only set issuers' keys signs as a job of an issuer that leads to more (attacks §9)."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corp_issuer import NAME, CorpIssuer, corp_issuer, text_of
from tests.registry_api import calling, problem

STRONGER = """\
service_accounts:
  of-files: {grants: {broker: ["broker:audit:read", "broker:policies:read"]}}
policies:
  by-file-account: {service_account: of-files, issuer: gitlab, match: {project_id: 20}}
  narrowed:
    service_account: of-files
    issuer: gitlab-corp
    match: {project_id: 20}
    grants: {broker: ["broker:audit:read"]}
  of-the-store:
    service_account: m-made-later
    issuer: buildkite
    match: {organization_id: 7b9a3c52-0000-4000-8000-000000000001}
    grants: {broker: ["broker:keys:write"]}
"""


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[CorpIssuer]:
    with corp_issuer(tmp_path, None) as issuer:
        yield issuer


def keys_of(issuer: CorpIssuer, *scopes: str) -> dict[str, str]:
    made = calling(issuer.broker, "admin").create(grants={"broker": [*scopes]})
    return {"Authorization": f"Bearer {made['client_secret']}"}


def upload(issuer: CorpIssuer, name: str, headers: dict[str, str]) -> tuple[int, str]:
    body = json.loads(text_of("theirs"))
    path = f"/api/v1/issuers/{name}/jwks"
    answer = issuer.broker.request("PUT", path, headers=headers, json=body)
    if answer.status_code == 200:
        return 200, ""
    assert problem(answer, 403)[0] == "INSUFFICIENT_PERMISSIONS"
    return 403, str(answer.json()["detail"])


def test_who_sets_keys_becomes_no_administrator_by_them(issuer: CorpIssuer) -> None:
    weak = keys_of(issuer, "broker:issuers:write")

    # The jobs of `github` may act as `admin`, those of the others as nobody who is stronger.
    status, said = upload(issuer, "github", weak)
    assert status == 403
    assert "broker:accounts:write" in said
    assert upload(issuer, NAME, weak) == (200, "")
    assert upload(issuer, "github", calling(issuer.broker, "admin").headers) == (200, "")


def test_what_policies_lead_to_counts_whoever_defines_the_account(issuer: CorpIssuer) -> None:
    (issuer.broker.folder / "policies" / "stronger.yaml").write_text(STRONGER)
    issuer.broker.reload(forced=True)
    weak = keys_of(issuer, "broker:issuers:write")
    auditor = keys_of(issuer, "broker:issuers:write", "broker:audit:read")

    for name, lacking in (
        ("gitlab", "broker:audit:read, broker:policies:read"),
        ("gitlab-corp", "broker:audit:read"),
        (NAME, "broker:keys:write"),
    ):
        status, said = upload(issuer, name, weak)
        assert (status, said.rpartition(": ")[2]) == (403, lacking)
    assert upload(issuer, "gitlab-corp", auditor) == (200, "")
    assert upload(issuer, "gitlab", auditor)[0] == 403
