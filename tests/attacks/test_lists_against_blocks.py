"""Row 180 in small: a token whose lists can be combined in more ways than there is time for."""

from broker.core.blocks import Block, Blocks
from tests.core.builders import NOW, an_issuer, github_claims

NAMES = ["groups", "projects", "roles", "teams"]


def test_a_block_that_names_several_lists_is_looked_up_in_no_time() -> None:
    where = dict.fromkeys(NAMES, "the-last")
    blocks = Blocks([Block("b-1", where, "INC-7", NOW, "admin")])
    # A million million ways to take one of each.
    values = [f"{number}" for number in range(999)]
    free = github_claims(**dict.fromkeys(NAMES, values))
    held = github_claims(**{name: [*values, "the-last"] for name in NAMES})

    assert blocks.of_token(free, an_issuer(), NOW) is None
    assert blocks.of_token(held, an_issuer(), NOW) is not None
