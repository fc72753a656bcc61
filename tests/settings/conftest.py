from pathlib import Path

import pytest

from tests.settings.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "policies").mkdir()
    return Home(tmp_path)
