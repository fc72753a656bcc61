"""Access reviews of 20,000 policies, of files and beside a store. `make bench-access`.

The commands themselves run. `BENCH_REVIEWED` is how many policies there are, ten for each account,
`BENCH_USES` how many tokens the store has on record.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.event_crowd import PERMIT
from bench.table import Row, Spread, print_rows
from broker.ports import Entry
from broker.signing.master_key import MasterKey
from broker.stores.sqlite_file import open_for_writing
from broker.stores.sqlite_ledger import PendingEntry, append
from broker.system import UuidV7Identifiers

POLICIES = int(os.environ.get("BENCH_REVIEWED", "20000"))
USES = int(os.environ.get("BENCH_USES", "100000"))
ROUNDS = 3
RESULTS = Path("build/bench/access.json")
PER_ACCOUNT, ACCOUNTS_PER_FILE, BATCH = 10, 20, 1000
ACCOUNTS = POLICIES // PER_ACCOUNT
_BASE = """\
issuers: {github: {preset: github}}
services:
  deploy-api:
    audience: https://deploy.example.com
    scopes: {deploy:read: See deployments, deploy:write: Start a deployment}
policies:
  no-forks: {effect: deny, issuer: github, match: {ref: {glob: refs/pull/**}}}
  no-nightly: {effect: deny, issuer: github, match: {environment: nightly}}
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What one run of a command took."""

    cpu: float
    megabytes: float


def main() -> None:
    """Measure, print the table, and write it as JSON."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        write_policies(folder / "policies")
        fill(folder)
        offline = ("policies/", "--offline")
        commands = {
            "review, as CSV": ("review", *offline, "--format", "csv"),
            "review, as JSON": ("review", *offline, "--json"),
            "review, as text": ("review", *offline),
            "who-can": ("who-can", "deploy-api", "deploy:write", "--policies", *offline),
            "what-can ACCOUNT": ("what-can", "account-7", "--policies", *offline),
            f"review, as CSV, with {USES:,} tokens": ("review", "policies/", "--format", "csv"),
        }
        took = {
            name: [run(folder, *words) for _ in range(ROUNDS)] for name, words in commands.items()
        }
    rows = []
    for name, several in took.items():
        rows.append(Row(name, Spread.of([each.cpu for each in several]), "s of CPU"))
        rows.append(Row(f"{name}: memory", Spread.of([each.megabytes for each in several]), "MB"))
    print_rows(f"broker access, {POLICIES:,} policies, {ACCOUNTS:,} accounts", rows)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    members = [row.as_json() for row in rows]
    RESULTS.write_text(json.dumps(members, indent=2, ensure_ascii=False))


def write_policies(folder: Path) -> None:
    """Write the policies, a file for the accounts of each team."""
    folder.mkdir()
    (folder / "base.yaml").write_text(_BASE)
    for team in range(0, ACCOUNTS, ACCOUNTS_PER_FILE):
        accounts, policies = "service_accounts:\n", "policies:\n"
        for account in range(team, min(team + ACCOUNTS_PER_FILE, ACCOUNTS)):
            accounts += (
                f"  account-{account}: {{owner: team-{team}, secrets: allowed,"
                " grants: {deploy-api: [deploy:read, deploy:write]}}\n"
            )
            for number in range(PER_ACCOUNT):
                policies += (
                    f"  account-{account}-{number}:\n    service_account: account-{account}\n"
                    f"    issuer: github\n    owner: team-{team}\n    match:\n"
                    f"      repository: acme/repo-{account}\n"
                    f'      repository_id: "{account * PER_ACCOUNT + number + 1}"\n'
                    f"      ref: refs/heads/release-{number}\n"
                )
        (folder / f"team-{team}.yaml").write_text(accounts + policies)


def fill(folder: Path) -> None:
    """Make a store with tokens on record, of all policies in turn, with their chain."""
    key = folder / "master.key"
    key.touch(0o600)
    key.write_text(MasterKey.generate().text())
    identifiers, now = UuidV7Identifiers(), time.time()
    connection = open_for_writing(folder / "broker.db")
    for start in range(0, USES, BATCH):
        batch = []
        for number in range(start, min(start + BATCH, USES)):
            account, policy = divmod(number * 7 % POLICIES, PER_ACCOUNT)
            event = replace(
                PERMIT,
                id=identifiers.new(now),
                time=now - 3600,
                issuer="github",
                service_account=f"account-{account}",
                sub=f"account-{account}",
                policies=(f"account-{account}-{policy}",),
            )
            batch.append(PendingEntry.of(Entry(event)))
        append(connection, batch, now)
    connection.close()


def run(folder: Path, *words: str) -> Took:
    """Run a command, and take what its process took."""
    environment = os.environ | {
        "BROKER_ISSUER": "https://broker.example.com",
        "BROKER_STORE": f"sqlite:{folder / 'broker.db'}",
        "BROKER_MASTER_KEY_FILE": str(folder / "master.key"),
    }
    with (folder / "answer").open("wb") as answer, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "broker", "access", *words],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(Path.cwd())},
            stdout=answer,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
    if status or "account-7" not in (folder / "answer").read_text():
        raise SystemExit(f"{words}: {(folder / 'errors').read_text()}")
    return Took(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
