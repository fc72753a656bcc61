"""The link of a refusal as an oracle, as a page of the attacker's, and as a carrier of secrets."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.decision_link import decision_link, is_decision_id, linked_decision
from tests.running_broker import RunningBroker
from tests.special_brokers import special_broker

NEVER_DRAWN = "01a20b88-c550-7c2b-869f-de7a5e664017"
HTML = {"Accept": "text/html"}
MALFORMED = [
    "x",
    "1",
    NEVER_DRAWN.upper(),
    NEVER_DRAWN + "0",
    NEVER_DRAWN[:-1],
    NEVER_DRAWN.replace("-", ""),
    f"{NEVER_DRAWN}%0a",
    f"{NEVER_DRAWN}%00",
    f"%20{NEVER_DRAWN}",
    NEVER_DRAWN.replace("0", "%D9%A0"),  # the digit of another script
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
    "%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E",
    f"{NEVER_DRAWN}%3Csvg%2Fonload=alert(1)%3E",
    "..%2F..%2Fmetrics",
    "%0d%0aSet-Cookie:%20a=b",
]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with special_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.mark.parametrize("headers", [{}, HTML])
def test_the_page_does_not_tell_whether_there_is_such_a_decision(
    broker: RunningBroker, headers: dict[str, str]
) -> None:
    secret = broker.github_token(environment="codename-aurora", ref="refs/heads/x")
    refused = broker.exchange(secret).json()["decision_id"]
    permitted = broker.exchange(broker.github_token()).status_code
    assert permitted == 200
    broker.events()

    pages = []
    for decision in [refused, *(each["id"] for each in broker.decisions()), NEVER_DRAWN]:
        answer = broker.request("GET", f"/d/{decision}", headers=headers)
        headers_told = [
            each for each in answer.headers.items() if each[0] not in {"x-request-id", "date"}
        ]
        pages.append((answer.status_code, headers_told, answer.text.replace(decision, "ID")))

    assert len(pages) >= 4
    assert pages == pages[-1:] * len(pages)
    for told in ["octo", "aurora", "no_policy_matched", "deploy", "456789"]:
        assert told not in str(pages[0])


def test_it_asks_for_no_credentials_and_takes_none(broker: RunningBroker) -> None:
    without = broker.request("GET", f"/d/{NEVER_DRAWN}")
    with_some = broker.request(
        "GET", f"/d/{NEVER_DRAWN}", headers={"Authorization": "Bearer x", "Cookie": "a=b"}
    )

    assert (with_some.status_code, with_some.text) == (200, without.text)
    assert "set-cookie" not in with_some.headers


@pytest.mark.parametrize("headers", [{}, HTML])
@pytest.mark.parametrize("text", MALFORMED)
def test_what_is_no_id_is_refused_and_not_repeated(
    broker: RunningBroker, text: str, headers: dict[str, str]
) -> None:
    answer = broker.request("GET", f"/d/{text}", headers=headers)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers
    assert set(answer.json()) == {"type", "title", "status", "detail", "code", "instance"}
    assert re.search(r"[<>]|alert|onerror|01A20B88|01a20b88", answer.text) is None


def test_other_methods_tell_no_more(broker: RunningBroker) -> None:
    page = broker.request("GET", f"/d/{NEVER_DRAWN}", headers=HTML)
    head = broker.request("HEAD", f"/d/{NEVER_DRAWN}", headers=HTML)

    own = {"x-request-id", "date"}
    assert head.content == b""
    assert {each: head.headers[each] for each in head.headers.keys() - own} == {
        each: page.headers[each] for each in page.headers.keys() - own
    }
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        refused = broker.request(method, f"/d/{NEVER_DRAWN}", content=b"<script>")
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert "<" not in refused.text


@pytest.mark.parametrize("path", ["/d", "/d/", "/d/{}/", "//d/{}", "/d/x%2f..%2f{}"])
def test_another_path_is_no_page(broker: RunningBroker, path: str) -> None:
    answer = broker.request("GET", path.format(NEVER_DRAWN))

    assert (answer.status_code, NEVER_DRAWN in answer.text) == (404, False)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "javascript:alert(1)"])
def test_nothing_else_that_comes_is_on_the_page(broker: RunningBroker, hostile: str) -> None:
    plain = broker.request("GET", f"/d/{NEVER_DRAWN}", headers=HTML)
    answer = broker.request(
        "GET",
        f"/d/{NEVER_DRAWN}",
        params={"decision_id": hostile, hostile: "x"},
        headers={**HTML, "Host": "evil.example", "Referer": hostile, "X-Forwarded-Host": "evil"},
    )

    assert answer.text == plain.text


def test_the_page_has_no_link_script_form_or_image(broker: RunningBroker) -> None:
    class Tags(HTMLParser):
        seen: set[str] = set()  # noqa: RUF012 - of this one parser

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.seen.add(tag)
            assert not {"href", "src", "style", "onload"} & {name for name, _ in attrs}

    parser = Tags()
    parser.feed(broker.request("GET", f"/d/{NEVER_DRAWN}", headers=HTML).text)

    assert parser.seen == {
        "html", "head", "meta", "title", "body", "h1", "p", "pre", "code",
    }  # fmt: skip


def test_no_secret_and_no_claim_is_in_a_link(broker: RunningBroker) -> None:
    token = broker.github_token(environment="codename-aurora", ref="refs/heads/x")

    refusal = broker.exchange(token).json()

    assert refusal["error_uri"] == f"{broker.url}/d/{refusal['decision_id']}"
    assert is_decision_id(refusal["decision_id"])


@given(st.text(max_size=60))
def test_only_what_the_broker_draws_has_the_form_of_an_id(text: str) -> None:
    assert not is_decision_id(text) or re.fullmatch(r"[0-9a-f-]{36}", text, re.ASCII)


@pytest.mark.parametrize(
    "issuer",
    ["https://broker.example.com", "http://127.0.0.1:8080", "https://[::1]:8443/ci/broker"],
)
def test_a_link_is_read_as_the_id_that_is_in_it(issuer: str) -> None:
    assert linked_decision(decision_link(issuer, NEVER_DRAWN)) == NEVER_DRAWN


@pytest.mark.parametrize(
    "text",
    [
        NEVER_DRAWN,
        f"/d/{NEVER_DRAWN}",
        f"//broker.example.com/d/{NEVER_DRAWN}",
        f"javascript://broker.example.com/d/{NEVER_DRAWN}",
        f"file:///d/{NEVER_DRAWN}",
        f"https://user:secret@broker.example.com/d/{NEVER_DRAWN}",
        f"https://broker.example.com/d/{NEVER_DRAWN}/",
        f"https://broker.example.com/d/{NEVER_DRAWN}?x=y",
        f"https://broker.example.com/d/{NEVER_DRAWN}#x",
        f"https://broker.example.com/d/{NEVER_DRAWN}\n",
        f" https://broker.example.com/d/{NEVER_DRAWN}",
        f"https://broker.example.com/?/d/{NEVER_DRAWN}",
        f"https://broker.example.com/#/d/{NEVER_DRAWN}",
        f"https://broker.example.com/x y/d/{NEVER_DRAWN}",
        f"https://broker.example.com/`x`/d/{NEVER_DRAWN}",
        f"https://broker.example.com//d/{NEVER_DRAWN}",
        f"https://broker.example.com/e/{NEVER_DRAWN}",
        f"https://broker.example.com/d/{NEVER_DRAWN.upper()}",
        f"https://{'a.' * 500}example.com/d/{NEVER_DRAWN}",
        "https://broker.example.com/d/x",
    ],
)
def test_what_only_looks_like_a_link_is_none(text: str) -> None:
    assert linked_decision(text) is None


@given(st.text(), st.text())
def test_no_text_around_a_link_is_taken_with_it(before: str, behind: str) -> None:
    link = f"https://broker.example.com/d/{NEVER_DRAWN}"

    if before or behind:
        assert linked_decision(f"{before}{link}{behind}") is None
