"""Running the scripts that use OAuth clients from npm."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def run_node(script: str, *arguments: str, stdin: str) -> dict[str, Any]:
    """Run a script with a token or secret on its standard input; never on its command line."""
    node = shutil.which("node", path=f"{HERE.parents[1] / '.venv/bin'}:{os.environ['PATH']}")
    assert node, "node is missing: `make test` sets it up"
    assert (HERE / "node_modules").is_dir(), "the Node packages are missing: `make test`"
    done = subprocess.run(
        [node, str(HERE / script), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
