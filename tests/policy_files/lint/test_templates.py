"""Templates whose values somebody else may choose."""

import pytest

from tests.policy_files.lint.finding import assert_found, codes_in

TEXT = """\
organizations: {{tenant: {{description: A tenant}}}}
services:
  s: {{audience: a, profile: aws, {organizations}{fields}}}
service_accounts:
  s-account: {{grants: {{s: []}}, metadata: {{team: x}}, organization: tenant}}
policies:
  s:
    service_account: s-account
    issuer: github
    match: {{repository_id: 456789, repository_owner_id: 1234567, ref: refs/heads/main}}
"""
OPEN = "organizations: [tenant], "


@pytest.mark.parametrize(
    "fields",
    [
        'claims: {groups: ►"{metadata.team}"}',
        'claims: {groups: ►["{organization}", "x:{metadata.team}"]}',
        'claims: {access: ►[{name: "{metadata.team}"}]}',
        'session_tags: {team: ►"{metadata.team}"}',
        # acme with corp-web says what acme-corp has with web.
        'claims: {groups: ►"{organization}-{metadata.team}"}',
        'claims: {groups: ►"{organization}{metadata.team}"}',
        'claims: {groups: ►"{metadata.team}.{organization}"}',
        'session_tags: {team: ►"x:{organization}_{metadata.team}"}',
        # So does other with x/acme/y before other, where x is before acme.
        'claims: {groups: ►"{metadata.team}/{organization}/{metadata.team}"}',
        'claims: {groups: ►"{metadata.team}/{organization}:{metadata.team}"}',
        'claims: {groups: ►"{metadata.team}:{organization}{service_account}"}',
    ],
)
def test_metadata_alone_is_what_an_organization_says_of_itself(fields: str) -> None:
    assert_found(TEXT.format(organizations=OPEN, fields=fields), "metadata-by-organization")


@pytest.mark.parametrize(
    ("organizations", "fields"),
    [
        ("", 'claims: {groups: "{metadata.team}"}'),
        (OPEN, 'claims: {groups: "{organization}/{metadata.team}"}'),
        (OPEN, 'claims: {groups: [ci, "{sub}"]}'),
        (OPEN, 'claims: {groups: ["x-{organization}:{metadata.team}"]}'),
        (OPEN, 'claims: {groups: ["{metadata.team}/{organization}-y"]}'),
        (OPEN, 'claims: {groups: "{organization}-x/{metadata.team}/{metadata.team}"}'),
        (OPEN, 'claims: {groups: "{metadata.team}:{organization}@{metadata.team}"}'),
        (OPEN, 'session_tags: {team: "{organization}/{metadata.team}"}'),
    ],
)
def test_what_nobody_else_can_say_is_no_finding(organizations: str, fields: str) -> None:
    found = codes_in(TEXT.format(organizations=organizations, fields=fields))

    assert "metadata-by-organization" not in found
