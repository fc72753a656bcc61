"""What is written is what readers of the two formats read."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as families

from broker.metrics.definitions import DURATIONS, KEY_AGE, METRICS, RATE_LIMITED
from broker.metrics.exposition import Sample, text_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x85\u2028"))


@given(limit=TEXTS, value=st.floats(0, 2**53), openmetrics=st.booleans())
def test_labels_and_values_are_read_as_they_were(
    limit: str, value: float, openmetrics: bool
) -> None:
    text = text_of([(RATE_LIMITED, [Sample((limit,), (value,))])], openmetrics=openmetrics)

    # Lines end with a line feed alone; the reader takes no other one for it.
    read = openmetrics_families if openmetrics else families
    (family,) = read(text)
    (sample,) = family.samples
    assert sample.name == "broker_rate_limited_requests_total"
    assert (sample.labels, sample.value) == ({"limit": limit}, value)


def test_a_histogram_is_cumulative_and_has_count_and_sum() -> None:
    cells = [1.0] * (len(DURATIONS.buckets) + 1) + [7.5]
    sample = Sample(("/healthz",), cells)
    for openmetrics, read in ((False, families), (True, openmetrics_families)):
        (family,) = read(text_of([(DURATIONS, [sample])], openmetrics=openmetrics))

        buckets = [each for each in family.samples if each.name.endswith("_bucket")]
        assert [each.value for each in buckets] == list(range(1, len(cells)))
        assert buckets[-1].labels == {"endpoint": "/healthz", "le": "+Inf"}
        by_name = {each.name: each.value for each in family.samples}
        assert by_name[f"{DURATIONS.name}_sum"] == 7.5
        assert by_name[f"{DURATIONS.name}_count"] == len(cells) - 1


def test_a_metric_without_samples_is_left_out() -> None:
    assert text_of([(KEY_AGE, [])], openmetrics=False) == ""
    assert text_of([(KEY_AGE, [])], openmetrics=True) == "# EOF\n"


def test_names_are_those_of_the_conventions() -> None:
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.startswith("broker_")
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.help.endswith(".")
