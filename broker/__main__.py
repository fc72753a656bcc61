"""The command `broker`, also `python -m broker`, and its other names as a credential helper."""

import os
import sys

from broker.cli.pipeline.cache_hit import from_cache
from broker.cli.pipeline.plain_request import plain_request

HELPER_PROGRAMS = {
    "git-credential-broker": "git",
    "docker-credential-broker": "docker",
    "terraform-credentials-broker": "terraform",
}
"""The names by which these tools find a helper; each a link to `broker`."""


def main() -> None:
    """Run the command line."""
    program = os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib takes longer than a cache hit
    tool, words = HELPER_PROGRAMS.get(program), sys.argv[1:]
    if tool is not None:
        words = ["credential-helper", tool, *words]
    wanted = plain_request(words, os.environ)
    if wanted is not None:
        cached = from_cache(wanted, os.environ)
        if cached is not None:
            sys.stdout.write(cached)
            return
        from broker.cli.pipeline.plain_token import plain_token  # noqa: PLC0415 - not for the above

        sys.exit(plain_token(wanted))
    from broker.cli.commands import build  # noqa: PLC0415 - takes long

    build(words)(words, prog_name="broker" if tool is None else program)


if __name__ == "__main__":
    main()
