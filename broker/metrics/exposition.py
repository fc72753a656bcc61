"""Samples as text: the Prometheus text format 0.0.4, or OpenMetrics 1.0.0."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from broker.metrics.definitions import Kind, Metric


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one series: of a histogram its buckets, each alone, and the sum."""

    labels: Sequence[str]
    cells: Sequence[float]


Family = tuple[Metric, Sequence[Sample]]


def text_of(families: Iterable[Family], *, openmetrics: bool) -> str:
    """Write metrics that have samples."""
    lines: list[str] = []
    for metric, samples in families:
        if samples:
            # OpenMetrics names a counter without the ending of its samples.
            name = metric.name if openmetrics else metric.sample
            lines.append(f"# HELP {name} {metric.help}")
            lines.append(f"# TYPE {name} {metric.kind}")
            for sample in samples:
                lines.extend(_lines(metric, sample))
    if openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _lines(metric: Metric, sample: Sample) -> Iterator[str]:
    pairs = list(zip(metric.labels, sample.labels, strict=True))
    if metric.kind is not Kind.HISTOGRAM:
        yield _line(metric.sample, pairs, sample.cells[0])
        return
    count = 0.0
    for bound, cell in zip((*metric.buckets, math.inf), sample.cells[:-1], strict=True):
        count += cell
        yield _line(f"{metric.name}_bucket", [*pairs, ("le", _number(bound))], count)
    yield _line(f"{metric.name}_sum", pairs, sample.cells[-1])
    yield _line(f"{metric.name}_count", pairs, count)


def _line(name: str, pairs: Sequence[tuple[str, str]], value: float) -> str:
    labels = ",".join(f'{label}="{_escaped(text)}"' for label, text in pairs)
    return f"{name}{{{labels}}} {_number(value)}" if labels else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf"
    return repr(float(value))
