"""What a service's tokens carry is shown as it was written."""

from typing import Any

import pytest

from broker.core.platforms import GITHUB, GITLAB
from broker.core.token_shape import as_written, claim_of_job, shape_of
from tests.core.shaped_services import a_template


@pytest.mark.parametrize(
    "value",
    [
        "team:{metadata.team}",
        ["ci", "{sub}"],
        [{"type": "repository", "name": "{metadata.image}", "actions": ["pull", "{sub}"]}],
    ],
)
def test_templates_are_shown_as_they_were_written(value: Any) -> None:
    assert as_written(a_template(value)) == value


def test_there_is_no_shape_where_nothing_is_asked_for() -> None:
    assert shape_of({}, {}, ()) is None


def test_a_shape_knows_what_it_names() -> None:
    shape = shape_of(
        {"a": a_template([{"x": "{metadata.m}", "y": ["{workload.ref}", "{sub}"]}])},
        {"tag": a_template("{organization}:{workload.sha}")},
        (),
    )

    assert shape is not None
    assert shape.metadata == {"m"}
    assert shape.workload == {"ref", "sha"}
    assert shape.needs_organization


def test_a_job_is_described_in_one_language_whatever_its_platform() -> None:
    assert claim_of_job("repository_id", GITHUB) == "repository_id"
    assert claim_of_job("repository_id", GITLAB) == "project_id"
    assert claim_of_job("repository_id", None) == "repository_id"
    assert claim_of_job("anything", GITLAB) == "anything"
