"""Where spans are exported to: by a setting of ours, or by the variables that all software has."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

from broker.core.errors import Problem
from broker.settings import keys
from broker.settings.addresses import collector_url
from broker.settings.kinds import Unusable
from broker.settings.reading import Reading

BASE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
DISABLED: Final = "OTEL_SDK_DISABLED"
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

PATH: Final = "/v1/traces"
"""Where a collector takes spans, below its base URL (OTLP specification, OTLP/HTTP request)."""

_PROTOCOL: Final = "http/protobuf"
_MISSING: Final = "tracing needs the extra 'otel', which is not here: pip install '.[otel]'"


def traces_endpoint(
    reading: Reading, environment: Mapping[str, str], *, serving: bool
) -> str | None:
    """Give the URL that spans are posted to, None for no tracing.

    A setting of ours wins over the standard variables. Problems go to the reading.
    """
    url = _below(reading.value(keys.OTEL_ENDPOINT))
    if reading.given(keys.OTEL_ENDPOINT) is None:
        url = _by_standard(reading, environment, TRACES) or _below(
            _by_standard(reading, environment, BASE)
        )
    off = environment.get(DISABLED, "").lower() == "true" or environment.get(EXPORTER) == "none"
    if url is None or off:
        return None
    for name in PROTOCOLS:
        if environment.get(name, _PROTOCOL) != _PROTOCOL:
            fault = f"spans are sent by {_PROTOCOL} alone; unset it, and name the port for that"
            reading.problems.append(Problem(name, 0, 0, fault))
    if serving and not _installed():
        reading.problems.append(_missing(reading, environment))
    return url


def _by_standard(reading: Reading, environment: Mapping[str, str], name: str) -> str | None:
    """Read a variable of OpenTelemetry, in which empty means unset."""
    if not environment.get(name):
        return None
    try:
        return collector_url(environment[name])
    except Unusable as unusable:
        reading.problems += [Problem(name, 0, 0, each.message) for each in unusable.faults]
        return None


def _below(base: str | None) -> str | None:
    return None if base is None else base.removesuffix("/") + PATH


def _missing(reading: Reading, environment: Mapping[str, str]) -> Problem:
    if reading.given(keys.OTEL_ENDPOINT) is not None:
        return reading.problem(keys.OTEL_ENDPOINT, _MISSING)
    named = TRACES if environment.get(TRACES) else BASE
    return Problem(named, 0, 0, f"{_MISSING}; or set {DISABLED}=true")


def _installed() -> bool:
    """Look for the packages of the extra without importing them."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None and (
            find_spec("opentelemetry.sdk") is not None
        )
    except ModuleNotFoundError:
        return False
