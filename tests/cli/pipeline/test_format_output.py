"""Where the output of a format goes: stdout, a file of its own, or a file of the platform."""

import stat
from pathlib import Path

import pytest

from broker.cli.pipeline.format_output import put_out, rendered
from broker.client.formats import FormatRefused
from broker.client.service_token import ServiceToken
from tests.client.formats.tokens import END_TIME, TOKEN
from tests.github_runner import GithubRunner


def token() -> ServiceToken:
    return TOKEN


Capture = pytest.CaptureFixture[str]


def test_text_goes_to_stdout_alone(capfd: Capture) -> None:
    put_out(rendered("raw", token, {}))

    assert capfd.readouterr() == (f"{TOKEN.access_token}\n", "")


def test_a_file_takes_the_place_of_stdout(tmp_path: Path, capfd: Capture) -> None:
    put_out(rendered("json", token, {}), file=str(tmp_path / "token.json"))

    assert capfd.readouterr() == ("", "")
    assert '"access_token"' in (tmp_path / "token.json").read_text()


def test_a_file_is_for_its_owner_alone_and_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("of before, and longer than what comes now" * 100)
    path.chmod(0o666)
    with path.open() as reader:
        put_out(rendered("raw", token, {}), file=str(path))
        assert reader.read().startswith("of before")

    assert path.read_text() == f"{TOKEN.access_token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_named_stays(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("kept")
    (tmp_path / "token").symlink_to(tmp_path / "elsewhere")
    put_out(rendered("raw", token, {}), file=str(tmp_path / "token"))

    assert (tmp_path / "elsewhere").read_text() == "kept"
    assert not (tmp_path / "token").is_symlink()


def test_a_file_that_cannot_be_put_in_place_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    with pytest.raises(IsADirectoryError):
        put_out(rendered("raw", token, {}), file=str(tmp_path / "token"))

    assert list(tmp_path.iterdir()) == [tmp_path / "token"]


def test_outputs_are_appended_behind_those_of_others(tmp_path: Path, capfd: Capture) -> None:
    output = tmp_path / "output"
    output.write_text("mine=1\n")
    put_out(rendered("github", token, {"GITHUB_OUTPUT": str(output)}))

    first, begin, value, end, *_ = output.read_text().splitlines()
    assert (first, value) == ("mine=1", TOKEN.access_token)
    assert begin == f"token<<{end}"
    assert capfd.readouterr().out == f"::add-mask::{TOKEN.access_token}\n"


def test_the_runner_reads_the_outputs_of_the_action(tmp_path: Path) -> None:
    runner = GithubRunner(tmp_path, mint=str)
    runner.output_file.touch()
    put_out(rendered("github", token, runner.variables()))

    assert runner.outputs() == {"token": TOKEN.access_token, "expires-at": END_TIME}


def test_each_delimiter_is_drawn_anew(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.touch()
    for _ in range(2):
        put_out(rendered("github", token, {"GITHUB_OUTPUT": str(output)}))

    begins = [line for line in output.read_text().splitlines() if line.startswith("token<<")]
    assert len(set(begins)) == 2
    assert all(len(line) > len("token<<") + 32 for line in begins)


def test_a_file_that_the_platform_has_not_made_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        put_out(rendered("github", token, {"GITHUB_OUTPUT": str(tmp_path / "output")}))

    assert list(tmp_path.iterdir()) == []


def test_a_configuration_fetches_no_token(capfd: Capture) -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/ci/providers/broker"
    environment = {"GCP_WORKLOAD_IDENTITY_PROVIDER": provider, "BROKER_SERVICE": "google"}
    put_out(rendered("gcp-external-account", pytest.fail, environment))

    assert '"type": "external_account"' in capfd.readouterr().out


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(FormatRefused, match="there is no format"):
        rendered("xml", token, {})
