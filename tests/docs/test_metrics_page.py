"""docs/reference/metrics.md names every metric of the code, with its type and labels."""

import pytest

from broker.core.errors import Reason
from broker.core.limits import Rate
from broker.http.metrics_endpoint import SCOPE
from broker.metrics.definitions import METRICS, READ, RECORDED
from broker.settings.keys import LIMITED
from tests.docs.markdown import Page, code, rows

PAGE = Page("docs/reference/metrics.md")


@pytest.mark.parametrize(
    ("section", "metrics"), [("What is counted", RECORDED), ("What is looked up", READ)]
)
def test_every_metric_has_its_row(section: str, metrics: tuple[object, ...]) -> None:
    expected = [
        [
            f"`{each.sample}`",
            each.kind,
            ", ".join(f"`{label}`" for label in each.labels) or "–",
            each.help,
        ]
        for each in METRICS
        if each in metrics
    ]

    assert rows(PAGE.section(section)) == expected


def test_every_label_has_its_row() -> None:
    explained = {name for row in rows(PAGE.section("Labels")) for name in code_of(row[0])}

    assert explained == {label for each in METRICS for label in each.labels}


def code_of(cell: str) -> list[str]:
    return [code(each) for each in cell.split(", ")]


def test_every_limit_is_a_value_of_its_label() -> None:
    [row] = [row for row in rows(PAGE.section("Labels")) if row[0] == "`limit`"]

    assert row[1].startswith(", ".join(f"`{each}`" for each in LIMITED))
    assert Rate(1, 60).requests == 1


def test_what_is_alarmed_on_is_there() -> None:
    names = [each.sample for each in METRICS] + [f"{each.name}_bucket" for each in METRICS]
    for expression, *_ in rows(PAGE.section("What to alarm on")):
        assert any(name in expression for name in names)
    assert Reason.TOKEN_ALREADY_USED in PAGE.section("What to alarm on")


def test_the_scope_is_named() -> None:
    assert f"`{SCOPE}`" in PAGE.text
