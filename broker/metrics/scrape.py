"""The figures of the whole broker, gathered when somebody asks for them."""

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from broker import __version__
from broker.core.signing_keys import KeyState
from broker.metrics import definitions
from broker.metrics.board import Board, Series, together
from broker.metrics.definitions import METRICS, RECORDED, Metric
from broker.metrics.exposition import Family, Sample, text_of
from broker.metrics.process_figures import figures_of
from broker.metrics.recorded import others
from broker.ports import OTHER, Clock, PolicySource, PolicyStatus, SigningKeySource, Store

_OF_ISSUERS: Final = (definitions.KEY_FAILURES, definitions.KEYS_FETCHED_AT)


@dataclass(frozen=True, slots=True)
class Scrape:
    """Writes the figures of all workers, whichever of them is asked; implements `MetricsPage`.

    `supervisor` is the process above the workers; None when there is none.
    """

    board: Board
    policies: PolicySource
    status: PolicyStatus
    store: Store
    signing_keys: SigningKeySource
    clock: Clock
    supervisor: int | None = None

    async def written(self, *, openmetrics: bool) -> str:
        """Write them in the Prometheus text format, or in OpenMetrics."""
        ready = await self.store.ready()
        samples: dict[Metric, list[Sample]] = {metric: [] for metric in METRICS}
        for metric, sample in (*self._recorded(), *self._read(ready=ready)):
            samples[metric].append(sample)
        families: list[Family] = list(samples.items())
        return text_of(families, openmetrics=openmetrics)

    def _recorded(self) -> Iterator[tuple[Metric, Sample]]:
        whole = together(self.board.blocks())
        issuers = self.policies.current().policy_set.issuers
        for metric in RECORDED:
            found = sorted(series for series in whole if series[0] == metric.name)
            for series in found:
                cells = whole[series]
                if metric.labels and series == others(metric) and not any(cells):
                    continue
                # What is said of the keys of an issuer that is gone is said of nothing.
                if metric in _OF_ISSUERS and not _counts(metric, series, cells, issuers):
                    continue
                yield metric, Sample(series[1:], cells)

    def _read(self, *, ready: bool) -> Iterator[tuple[Metric, Sample]]:
        policies, fault = self.policies.current().policy_set, self.status.fault()
        yield definitions.POLICIES, _one(len(policies.policies))
        yield definitions.POLICY_FAULT, _one(fault is not None)
        if fault is not None:
            yield definitions.POLICY_FAULT_SINCE, _one(fault.since)
        yield definitions.STORE_READY, _one(ready)
        yield from self._signing_keys()
        yield from self._processes()
        python = platform.python_version()
        yield definitions.BUILD, Sample((__version__, python), (1.0,))

    def _signing_keys(self) -> Iterator[tuple[Metric, Sample]]:
        keys, now = self.signing_keys.current(), self.clock.now()
        algorithms = sorted({key.algorithm for key in keys.keys})
        for algorithm in algorithms:
            own = [key for key in keys.keys if key.algorithm == algorithm]
            signing = keys.signing_key(algorithm, now)
            if signing is not None:
                age = now - signing.schedule.sign_from
                yield definitions.KEY_AGE, Sample((algorithm,), (age,))
            coming = [key.schedule.sign_from for key in own if key.schedule.sign_from > now]
            if coming:
                yield definitions.NEXT_ROTATION, Sample((algorithm,), (min(coming),))
            for state in KeyState:
                count = sum(key.schedule.state(now) is state for key in own)
                if state is not KeyState.REMOVED:
                    yield definitions.SIGNING_KEYS, Sample((algorithm, state), (float(count),))

    def _processes(self) -> Iterator[tuple[Metric, Sample]]:
        processes = [(str(number), each.process) for number, each in enumerate(self.board.blocks())]
        if self.supervisor is not None:
            processes.append(("supervisor", self.supervisor))
        running = 0
        for name, process in processes:
            figures = figures_of(process) if process else None
            if figures is None:
                continue
            running += name != "supervisor"
            yield definitions.PROCESS_CPU, Sample((name,), (figures.cpu,))
            yield definitions.PROCESS_MEMORY, Sample((name,), (figures.memory,))
            yield definitions.PROCESS_START, Sample((name,), (figures.started,))
        yield definitions.WORKERS, _one(running)


def _one(value: float) -> Sample:
    return Sample((), (float(value),))


def _counts(
    metric: Metric, series: Series, cells: list[float], issuers: Mapping[str, object]
) -> bool:
    absent = metric is definitions.KEYS_FETCHED_AT and not cells[0]
    return not absent and (series[1] in issuers or series[1] == OTHER)
