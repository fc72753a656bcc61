"""Two readers of `.env` files read the token as it is: python-dotenv, and Node itself."""

import json
import os
import shutil
import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.client.formats import FormatOptions, FormatRefused, render
from tests.client.formats.tokens import HOSTILE, TOKEN, holding
from tests.consumers.programs_found import ROOT, library_program

NODE = (
    "let text = ''; process.stdin.on('data', (part) => text += part)"
    ".on('end', () => console.log(JSON.stringify(require('util').parseEnv(text))))"
)


def node() -> str:
    found = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert found, "node is missing: `make test` sets it up"
    return found


@settings(max_examples=10)
@given(texts=st.lists(HOSTILE, min_size=1, max_size=20))
@example(texts=["${HOME}", "$HOME", "${A:-b}", "#x", "a=b", '"', "`", "a#b", "export", "=", '"a'])
def test_every_token_is_read_alike_or_refused(texts: list[str]) -> None:
    written, file = {}, ""
    for number, text in enumerate([*texts, TOKEN.access_token]):
        try:
            file += render("dotenv", holding(text), FormatOptions(variable=f"T{number}")).text
        except FormatRefused:
            continue
        written[f"T{number}"] = text

    for command in ([*library_program("dotenv_values.py")], [node(), "-e", NODE]):
        done = subprocess.run(
            command, input=file, capture_output=True, text=True, timeout=60, check=True
        )
        read = json.loads(done.stdout)
        assert {name: read[name] for name in written} == written
        assert len(read) == 2 * len(written)
