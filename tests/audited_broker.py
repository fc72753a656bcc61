"""A running broker whose audit is worked on with the real commands, and with bare SQL."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from typer.testing import CliRunner, Result

from broker.cli.app import app
from tests.running_broker import RunningBroker


@dataclass
class AuditedStore:
    """The store of a broker, and `broker audit` on it."""

    broker: RunningBroker
    database: str = "broker.db"
    start: int = 0
    """The number of the last event that the start of the broker wrote: it makes keys."""

    def audit(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run a command of `broker audit` on this store."""
        return CliRunner().invoke(
            app,
            ["audit", *arguments],
            input=stdin,
            env=self.environment(),
            catch_exceptions=False,
        )

    def environment(self) -> dict[str, str]:
        """Name the store and what belongs to it."""
        folder = self.broker.folder
        return {
            "BROKER_ISSUER": self.broker.url,
            "BROKER_POLICIES": str(folder / "policies"),
            "BROKER_STORE": f"sqlite:{folder / self.database}",
            "BROKER_MASTER_KEY_FILE": str(folder / "master.key"),
        }

    def head(self) -> str:
        """Give the signed head of now, as a cron job keeps it."""
        done = self.audit("head")
        assert (done.exit_code, done.stderr) == (0, "")
        return done.stdout

    def verified(self, *arguments: str) -> dict[str, Any]:
        """Verify the store; give what `--json` says, which agrees with the exit code."""
        done = self.audit("verify", "--json", *arguments)
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.exit_code == (0 if found["ok"] else 1)
        return found

    def checkpoint(self, *lines: str) -> str:
        """Keep lines in a file, and name it."""
        file = self.broker.folder / "checkpoint.jsonl"
        file.write_text("".join(f"{line.rstrip()}\n" for line in lines))
        return str(file)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Do something to the database as whoever has its file can.

        A statement without values may count from `:start`.
        """
        connection = apsw.Connection(str(self.broker.folder / self.database))
        connection.set_busy_timeout(5000)
        try:
            return list(connection.execute(statement, values or {"start": self.start}))
        finally:
            connection.close()


@contextmanager
def audited_store(folder: Path, exchanges: int = 3) -> Iterator[AuditedStore]:
    """Serve a broker on whose store there are permits, refusals and a counted one."""
    with RunningBroker(folder).serving() as broker:
        start = len(broker.events())
        for _ in range(exchanges):
            assert broker.exchange(broker.github_token()).status_code == 200
        assert broker.exchange(broker.github_token(ref="refs/heads/x")).status_code == 400
        assert broker.exchange("no token").status_code == 400
        broker.events()
        yield AuditedStore(broker, start=start)
