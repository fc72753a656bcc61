"""docs/reference/access.md and `broker access` say the same."""

import re
from collections.abc import Iterator

from typer.core import TyperGroup
from typer.main import get_command

from broker.cli.access import app
from broker.core.access import review_csv
from broker.core.access.grant import Mark, Way
from broker.core.access.grants import StoredState, access_grants
from broker.core.access.of_job import access_of_job
from broker.core.access.review import AccessReview, Commit, LookUp
from broker.core.access.uses import Uses
from broker.core.indexed_policies import IndexedPolicies
from tests.core.builders import NOW, a_policy, a_policy_set, an_account, github_claims
from tests.docs.markdown import Page, blocks, code, rows

PAGE = Page("docs/reference/access.md")
POLICY_SET = a_policy_set(a_policy(), accounts=[an_account(secrets_allowed=True)])
GRANTS = access_grants(POLICY_SET, StoredState(), NOW)


def words(text: str) -> Iterator[str]:
    """Give the words in the first column of the tables of a text."""
    for row in rows(text):
        yield from re.findall(r"`([^`]+)`", row[0])


def test_every_option_is_on_the_page() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    params = [each for command in group.commands.values() for each in command.params]
    options = {each.opts[0] for each in params if each.param_type_name == "option"} - {"--help"}

    assert set(words(PAGE.section("Commands"))) == options
    assert set(group.commands) == {"review", "who-can", "what-can"}


def test_every_default_is_that_of_the_command() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    defaults = {each.opts[0]: each.default for each in group.commands["review"].params}
    told = {code(row[0]): row[1] for row in rows(PAGE.section("Commands"))}

    assert told["--since"] == f"`{defaults['--since']}`"


def test_every_mark_is_on_the_page() -> None:
    assert list(words(PAGE.section("Marks"))) == list(Mark)


def test_every_member_is_on_the_page() -> None:
    uses = LookUp("2026-11-01T00:00:00.000Z", Uses(GRANTS))
    review = AccessReview(GRANTS, NOW, "0" * 64, Commit("c0ffee", changed=False), uses)
    credentials, by_policy, *_ = review.as_json()["items"]
    index = IndexedPolicies.of(POLICY_SET)
    (of_job,) = access_of_job(github_claims(), POLICY_SET.issuers["github"], index, NOW)
    whole, rest = PAGE.section("JSON").split("Of a grant:")
    of_grant, of_claims = rest.split("Of `what-can --claims`")

    assert set(words(whole)) == set(review.as_json())
    assert set(words(of_grant)) == set(by_policy)
    assert set(words(of_claims)) == set(of_job.as_json())
    for member in (*credentials["credentials"], *by_policy["used"], *Way):
        assert f"`{member}`" in of_grant


def test_the_columns_are_those_of_the_page() -> None:
    (block,) = blocks(PAGE.section("CSV"), "text")

    assert block.text.strip() == ",".join(review_csv.COLUMNS)
