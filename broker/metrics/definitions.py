"""Every metric there is: the table behind `/metrics` and its page in the documentation."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The types of the Prometheus text format that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; the name of a counter is without the `_total` that its samples have."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, for a histogram."""

    names_configured: bool = False
    """Whether a label is a name of the configuration, of which there may be many."""

    @property
    def cells(self) -> int:
        """How many numbers it takes: for a histogram each bucket, the last one and the sum."""
        return len(self.buckets) + 2 if self.kind is Kind.HISTOGRAM else 1

    @property
    def sample(self) -> str:
        """The name of its samples."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

REQUESTS: Final = Metric(
    "broker_http_requests", _COUNTER, "Requests answered.", ("endpoint", "status")
)
DURATIONS: Final = Metric(
    "broker_http_request_duration_seconds",
    _HISTOGRAM,
    "Time from the head of a request to its answer.",
    ("endpoint",),
    _SECONDS,
)
OAUTH: Final = Metric(
    "broker_oauth_requests",
    _COUNTER,
    "Requests to OAuth endpoints, with the reason that the caller was told.",
    ("endpoint", "grant", "outcome", "reason"),
)
EXCHANGES: Final = Metric(
    "broker_exchanges",
    _COUNTER,
    "CI tokens that were to be exchanged, whichever grant carried them.",
    ("issuer", "service", "outcome"),
    names_configured=True,
)
EXCHANGE_REFUSALS: Final = Metric(
    "broker_exchange_refusals",
    _COUNTER,
    "Exchanges refused, with the reason on record.",
    ("issuer", "reason"),
    names_configured=True,
)
OBSERVED: Final = Metric(
    "broker_observed_decisions",
    _COUNTER,
    "Exchanges that observed policies hold for, by what would come of them with these.",
    ("kind",),
)
RATE_LIMITED: Final = Metric(
    "broker_rate_limited_requests", _COUNTER, "Requests that a rate limit refused.", ("limit",)
)
BATCHES: Final = Metric(
    "broker_ledger_batch_entries",
    _HISTOGRAM,
    "Entries made durable by one transaction.",
    buckets=(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0),
)
BATCH_DURATIONS: Final = Metric(
    "broker_ledger_batch_duration_seconds",
    _HISTOGRAM,
    "Time that one transaction of the ledger took, its sync included.",
    buckets=_SECONDS,
)
NOT_WRITTEN: Final = Metric(
    "broker_ledger_entries_failed", _COUNTER, "Entries that the store did not take."
)
KEY_FETCHES: Final = Metric(
    "broker_issuer_key_fetches",
    _COUNTER,
    "Fetches of an issuer's keys.",
    ("issuer", "outcome"),
    names_configured=True,
)
KEY_FAILURES: Final = Metric(
    "broker_issuer_key_failures_in_a_row",
    _GAUGE,
    "Fetches of an issuer's keys that failed since the last good one, in the worst worker.",
    ("issuer",),
    names_configured=True,
)
KEYS_FETCHED_AT: Final = Metric(
    "broker_issuer_keys_fetched_timestamp_seconds",
    _GAUGE,
    "When the oldest keys of an issuer that a worker goes by were fetched.",
    ("issuer",),
    names_configured=True,
)
RELOADS: Final = Metric(
    "broker_policy_reloads", _COUNTER, "Times that the policy files were read anew.", ("outcome",)
)
POLICIES_SINCE: Final = Metric(
    "broker_policies_in_force_timestamp_seconds",
    _GAUGE,
    "Since when the policies in force decide, in the worker that had them last.",
)

RECORDED: Final = (
    REQUESTS, DURATIONS, OAUTH, EXCHANGES, EXCHANGE_REFUSALS, OBSERVED, RATE_LIMITED, BATCHES,
    BATCH_DURATIONS, NOT_WRITTEN, KEY_FETCHES, KEY_FAILURES, KEYS_FETCHED_AT, RELOADS,
    POLICIES_SINCE,
)  # fmt: skip
"""What is counted as it happens, by every worker."""

POLICIES: Final = Metric("broker_policies", _GAUGE, "Policies in force.")
POLICY_FAULT: Final = Metric(
    "broker_policy_files_rejected", _GAUGE, "1 while the policy files are not in force, else 0."
)
POLICY_FAULT_SINCE: Final = Metric(
    "broker_policy_files_rejected_timestamp_seconds",
    _GAUGE,
    "Since when the policy files are not in force; absent while they are.",
)
STORE_READY: Final = Metric(
    "broker_store_ready", _GAUGE, "1 while the store can be written, else 0."
)
KEY_AGE: Final = Metric(
    "broker_signing_key_age_seconds", _GAUGE, "How long the signing key has signed.", ("alg",)
)
NEXT_ROTATION: Final = Metric(
    "broker_signing_key_next_rotation_timestamp_seconds",
    _GAUGE,
    "When the next key begins to sign.",
    ("alg",),
)
SIGNING_KEYS: Final = Metric(
    "broker_signing_keys", _GAUGE, "Signing keys by what they do.", ("alg", "state")
)
WORKERS: Final = Metric("broker_workers", _GAUGE, "Workers that run.")
PROCESS_CPU: Final = Metric(
    "broker_process_cpu_seconds",
    _COUNTER,
    "CPU time of a process, since its start.",
    ("process",),
)
PROCESS_MEMORY: Final = Metric(
    "broker_process_resident_memory_bytes", _GAUGE, "Memory of a process.", ("process",)
)
PROCESS_START: Final = Metric(
    "broker_process_start_timestamp_seconds", _GAUGE, "When a process began.", ("process",)
)
BUILD: Final = Metric("broker_build_info", _GAUGE, "What runs.", ("version", "python"))

READ: Final = (
    POLICIES, POLICY_FAULT, POLICY_FAULT_SINCE, STORE_READY, KEY_AGE,
    NEXT_ROTATION, SIGNING_KEYS, WORKERS, PROCESS_CPU, PROCESS_MEMORY, PROCESS_START, BUILD,
)  # fmt: skip
"""What is looked up when somebody asks."""

METRICS: Final = (*RECORDED, *READ)
