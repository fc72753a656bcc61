"""The command `broker`, also `python -m broker`, and its other names as a credential helper."""

import os
import sys

from broker.cli.pipeline.cache_hit import from_cache

HELPER_PROGRAMS = {
    "git-credential-broker": "git",
    "docker-credential-broker": "docker",
    "terraform-credentials-broker": "terraform",
}
"""The names by which these tools find a helper; each a link to `broker`."""


def main() -> None:
    """Run the command line."""
    program = os.path.basename(sys.argv[0])  # noqa: PTH119 - pathlib takes longer than a cache hit
    tool = HELPER_PROGRAMS.get(program)
    # The words of a credential helper are no command's.
    cached = from_cache(sys.argv[1:], os.environ) if tool is None else None
    if cached is not None:
        sys.stdout.write(cached)
        return
    from broker.cli.commands import build  # noqa: PLC0415 - not for a token from the cache

    words = sys.argv[1:]
    if tool is not None:
        words = ["credential-helper", tool, *words]
    build(words)(words, prog_name="broker" if tool is None else program)


if __name__ == "__main__":
    main()
