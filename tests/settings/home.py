"""A working directory of a broker, and what its settings are or say is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.core.errors import ConfigurationError, Problem
from broker.settings import Settings, load

NOTHING: Mapping[str, str] = {}
STRONG_KEY = "k3y-" * 10 + "k3y="


@dataclass(frozen=True)
class Home:
    path: Path

    def load(
        self,
        yaml: str | bytes | None = None,
        environment: Mapping[str, str] = NOTHING,
        *,
        listen: str | None = None,
        dev: bool = False,
        config_file: Path | None = None,
        data_dir: Path = Path("data"),
        serving: bool = True,
    ) -> Settings:
        if yaml is not None:
            content = yaml.encode() if isinstance(yaml, str) else yaml
            (self.path / "broker.yaml").write_bytes(content)
        return load(
            config_file,
            environment,
            listen=listen,
            dev=dev,
            data_dir=data_dir,
            working_directory=self.path,
            serving=serving,
        )

    def problems(
        self,
        yaml: str | bytes | None = None,
        environment: Mapping[str, str] = NOTHING,
        *,
        listen: str | None = None,
        dev: bool = False,
        config_file: Path | None = None,
    ) -> tuple[Problem, ...]:
        try:
            settings = self.load(yaml, environment, listen=listen, dev=dev, config_file=config_file)
        except ConfigurationError as error:
            return error.problems
        if settings.policies_fault is not None:
            return (settings.policies_fault,)
        raise AssertionError(f"loads: {settings}")

    def says(
        self,
        yaml: str | bytes | None = None,
        environment: Mapping[str, str] = NOTHING,
        *,
        listen: str | None = None,
        dev: bool = False,
        config_file: Path | None = None,
    ) -> str:
        """Give the only problem as text."""
        found = self.problems(yaml, environment, listen=listen, dev=dev, config_file=config_file)
        assert len(found) == 1, found
        return str(found[0])
