"""Attack 145: a secret is made for an account that shall have none, so that no CI job is needed."""

from pathlib import Path

from tests.registry_api import OPERATORS, calling, problem
from tests.special_brokers import special_broker


def test_an_account_of_a_file_has_no_secrets_unless_the_file_says_so(tmp_path: Path) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")

        for path in ("/deploy-web/secrets", "/deploy-web/secrets/rotate"):
            answer = admin("POST", path)
            assert problem(answer, 409)[0] == "CONFLICT"
            assert "sa_live_" not in answer.text
        assert admin.shown("/deploy-web/secrets")["items"] == []
        assert admin.shown("/deploy-web")["secrets_allowed"] is False
        answer = admin("PATCH", "/deploy-web", json={"secrets_allowed": True})
        assert problem(answer, 409)[0] == "CONFLICT"


def test_an_account_that_was_made_without_them_gets_none_before_that_is_changed(
    tmp_path: Path,
) -> None:
    with special_broker(tmp_path, OPERATORS) as running:
        admin = calling(running, "admin")
        made = admin.create(secrets_allowed=False)

        assert "client_secret" not in made
        assert problem(admin("POST", f"/{made['id']}/secrets"), 409)[0] == "CONFLICT"
