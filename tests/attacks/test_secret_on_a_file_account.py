"""Attack 145: a secret is made for an account that shall have none, so that no CI job is needed."""

from pathlib import Path

from tests.client_secrets import ask
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


def test_a_secret_of_before_is_over_when_the_file_forbids_secrets(tmp_path: Path) -> None:
    allowed = "service_accounts: {cron: {grants: {plain: []}, secrets: allowed}}\n"
    with special_broker(tmp_path, OPERATORS) as running:
        late = tmp_path / "policies" / "late.yaml"
        late.write_text(allowed)
        running.reload(forced=True)
        admin = calling(running, "admin")
        made = admin("POST", "/cron/secrets").json()
        assert admin.shown("/cron")["secrets_allowed"] is True

        def asked() -> int:
            secret = made["client_secret"]
            return ask(running, "cron", secret, audience="plain").status_code

        assert asked() == 200
        late.write_text(allowed.replace("allowed", "forbidden"))
        running.reload(forced=True)
        assert asked() == 400
        # What is there can be seen, and ended; nothing is made beside it.
        assert [each["id"] for each in admin.shown("/cron/secrets")["items"]] == [made["id"]]
        assert problem(admin("POST", "/cron/secrets/rotate"), 409)[0] == "CONFLICT"
        assert admin("DELETE", f"/cron/secrets/{made['id']}").status_code == 204
        late.write_text(allowed)
        running.reload(forced=True)
        assert asked() == 400
