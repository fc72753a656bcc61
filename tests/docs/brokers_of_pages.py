"""Brokers whose policies are those of a page, for exchanges with the tokens it tells of."""

import time
from pathlib import Path

from tests.running_broker import RunningBroker

# The issuers as on the platforms, but for where their keys are; the audience is the broker's URL.
ISSUERS = """\
issuers:
  github: {{preset: github, jwks_uri: "{github}"}}
  gitlab: {{preset: gitlab, jwks_uri: "{gitlab}"}}
"""


def broker_of(folder: Path, *texts: str, issuers: str = ISSUERS) -> RunningBroker:
    """Make a broker of today whose files are these texts; their own tests run when it starts."""
    (folder / "policies").mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / "policies" / f"page{number}.yaml").write_text(text)
    return RunningBroker(folder, issuers, now=time.time())
