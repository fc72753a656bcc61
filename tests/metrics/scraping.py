"""Reading `/metrics` as a monitoring system does."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.running_broker import RunningBroker

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures_in(text: str) -> Figures:
    """Read every sample: name and labels, and the value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figures(broker: RunningBroker) -> Figures:
    return figures_in(scrape(broker).text)


def scrape(broker: RunningBroker, **headers: str) -> httpx.Response:
    answer = broker.request("GET", "/metrics", headers=headers)
    assert answer.status_code == 200
    return answer


def value(found: Figures, name: str, **labels: str) -> float:
    """Give the value of one series, 0 when it is not there."""
    return found.get((name, frozenset(labels.items())), 0.0)


def sum_of(found: Figures, metric: str, **labels: str) -> float:
    """Add up the series of a metric that have these labels."""
    wanted = frozenset(labels.items())
    return sum(each for (name, has), each in found.items() if name == metric and wanted <= has)
