"""docs/reference/formats.md shows what each format writes, to the letter."""

import re

import pytest

from broker.cli.pipeline.format_output import AWS_CREDENTIAL_PROCESS, FORMAT_NAMES
from broker.client.formats import CONFIGURATIONS, FORMATS, FormatOptions, Rendering, render
from broker.client.formats.aws import AwsCredentials, credential_process
from tests.client.formats.tokens import END_TIME, TOKEN
from tests.docs.markdown import Page, blocks, code, rows

PAGE = Page("docs/reference/formats.md")
GUIDE = Page("docs/guides/credential-helpers.md")
ROLE = "arn:aws:iam::123456789012:role/deploy"
OPTIONS = FormatOptions(
    environment={
        "GITHUB_OUTPUT": "/runner/output",
        "GITHUB_ENV": "/runner/env",
        "AWS_ROLE_ARN": ROLE,
        "BROKER_SERVICE": "google",
        "GCP_WORKLOAD_IDENTITY_PROVIDER": (
            "projects/123456789/locations/global/workloadIdentityPools/ci/providers/broker"
        ),
    },
    delimiter="broker_9f86d081884c7d659a2feaa0c55ad015",
    file="/run/job/token",
    server="registry.example.com",
)
READ_ELSEWHERE = {"yaml"}
"""Blocks that show how a format is used, and are run by the tests of its reader."""


def shown(name: str) -> list[str]:
    section = blocks(PAGE.section(f"`{name}`"))
    return [each.text for each in section if each.language not in READ_ELSEWHERE]


def test_every_format_has_a_section_and_a_row() -> None:
    headings = [code(each) for each in PAGE.headings(level=2)]

    assert sorted(headings) == sorted(FORMAT_NAMES)
    assert [code(row[0]) for row in rows(PAGE.text)] == headings


def rendered(name: str) -> Rendering:
    if name in CONFIGURATIONS:
        return CONFIGURATIONS[name](OPTIONS)
    return render(name, TOKEN, OPTIONS)


@pytest.mark.parametrize("name", [*FORMATS, *CONFIGURATIONS])
def test_the_page_shows_what_a_format_writes(name: str) -> None:
    rendering = rendered(name)

    assert shown(name) in (
        [each.text for each in rendering.appended] + [rendering.text],
        # The mask is shown once.
        [each.text for each in rendering.appended],
    )


def test_the_page_shows_the_keys_of_aws() -> None:
    keys = AwsCredentials(
        "ASIAEXAMPLEKEYID0001", "c2VjcmV0", "c2Vzc2lvbg==", "2026-11-21T23:26:40Z"
    )

    assert shown(AWS_CREDENTIAL_PROCESS) == [credential_process(keys)]


def test_the_page_says_whose_token_it_shows() -> None:
    opening = PAGE.text.partition("\n| ")[0]

    assert TOKEN.access_token in opening
    assert END_TIME.replace("T", " ").replace("Z", " UTC") in opening


def test_formats_that_a_helper_writes_lead_to_its_guide() -> None:
    led = set(re.findall(r"credential-helpers\.md#([a-z]+)", PAGE.text))

    assert led == {"git", "docker", "terraform", "kubectl", "aws", "google"}


def test_the_guide_has_a_row_for_every_tool() -> None:
    table = rows(GUIDE.text.partition("## ")[0])
    helpers = [re.findall(r"credential-helper ([a-z]+)", row[1])[0] for row in table]

    assert helpers == ["git", "docker", "terraform", "kubectl", "aws", "gcp"]
