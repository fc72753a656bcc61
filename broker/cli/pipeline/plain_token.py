"""`broker token SERVICE` in its plain forms, where no token was kept: the broker is asked.

The same as the command in every answer and message, without the libraries that read options and
write help: importing them takes longer than the exchange.
"""

import sys
from collections.abc import Mapping

from broker.cli.pipeline.asking import Asked, source_of
from broker.cli.pipeline.cancelled import ended_by_signals
from broker.cli.pipeline.plain_request import in_format
from broker.cli.pipeline.warnings_shown import show_warnings
from broker.client.errors import ClientError
from broker.client.refusal import told


def plain_token(wanted: Mapping[str, str]) -> int:
    """Print a token; give the code to end with."""
    show_warnings(wanted=True)
    asked = Asked(
        service=wanted["service"],
        url=wanted["url"],
        scope=wanted["scope"],
        ttl=wanted["ttl"],
        service_account=wanted["service_account"],
        audience=wanted["audience"],
        no_cache=bool(wanted["no_cache"]),
    )
    try:
        with ended_by_signals():
            token = source_of(asked).token()
    except ClientError as error:
        sys.stderr.write(f"broker: {told(error)}\n")
        return error.exit_code
    sys.stdout.write(in_format(wanted["format"], token.access_token, token.expires_at))
    return 0
