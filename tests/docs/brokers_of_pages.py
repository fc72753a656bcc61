"""Brokers whose policies are those of a page, for exchanges with the tokens it tells of."""

import time
from pathlib import Path

from tests.docs.policies_in_pages import completed
from tests.running_broker import RunningBroker

# The issuers as on the platforms, but for where their keys are; the audience is the broker's URL.
ISSUERS = """\
issuers:
  github: {{preset: github, jwks_uri: "{github}"}}
  gitlab: {{preset: gitlab, jwks_uri: "{gitlab}"}}
"""


def broker_of(folder: Path, page: str, more: str = "", *, issuers: str = ISSUERS) -> RunningBroker:
    """Make a broker of today with a page's policies, whose own tests run when it starts.

    What the page does not show is completed; `more` is a second file. `issuers` stands in place
    of the page's, as a template for where their keys are.
    """
    files = completed(page) | {"more.yaml": more}
    del files["issuers.yaml"]
    (folder / "policies").mkdir(parents=True)
    for name, text in files.items():
        (folder / "policies" / name).write_text(text)
    return RunningBroker(folder, issuers, now=time.time())
