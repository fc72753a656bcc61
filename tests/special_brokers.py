"""Brokers with policies or settings of their own, for tests that need them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker.settings import Settings
from tests.running_broker import NOW, POLICIES, RunningBroker


class SpecialBroker(RunningBroker):
    """A broker some of whose settings are changed; `path` is that of its issuer URL."""

    def __init__(
        self,
        folder: Path,
        policies: str = POLICIES,
        *,
        path: str = "",
        now: float = NOW,
        **settings: Any,
    ) -> None:
        super().__init__(folder, policies, now=now)
        self._path = path
        self._changes = settings

    def settings(self) -> Settings:
        settings = super().settings()
        return replace(settings, issuer=settings.issuer + self._path, **self._changes)


@contextmanager
def special_broker(
    folder: Path, more_policies: str = "", *, policies: str = POLICIES, **settings: Any
) -> Iterator[RunningBroker]:
    """Serve a broker with a second policy file beside the usual one."""
    (folder / "policies").mkdir(exist_ok=True)
    if more_policies:
        (folder / "policies" / "more.yaml").write_text(more_policies)
    with SpecialBroker(folder, policies, **settings).serving() as broker:
        yield broker
