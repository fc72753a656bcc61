"""The URL of the broker: what is taken, what is refused, and what a refusal never shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.broker_url import broker_url, same_origin
from broker.client.errors import Misuse


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://broker.example.com", "https://broker.example.com"),
        ("https://broker.example.com/", "https://broker.example.com"),
        ("https://broker.example.com:8443/ci//", "https://broker.example.com:8443/ci"),
        ("HTTPS://broker.example.com", "HTTPS://broker.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_it_is_taken(text: str, url: str) -> None:
    assert broker_url(text) == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "which broker"),
        ("broker.example.com", "its scheme is 'none'"),
        ("amqp://guest:guest@rabbit//", "its scheme is 'amqp'"),
        ("redis://:pw@redis:6379/0", "its scheme is 'redis'"),
        ("ftp://broker.example.com", "its scheme is 'ftp'"),
        ("http://broker.example.com", "would send tokens in clear"),
        ("http://127.0.0.1.nip.example", "would send tokens in clear"),
        ("http://[::ffff:127.0.0.1]", "would send tokens in clear"),
        ("http://2130706433", "would send tokens in clear"),
        ("http://0.0.0.0", "would send tokens in clear"),
        ("https://", "must have a host"),
        ("https:///path", "must have a host"),
        ("https:broker.example.com", "must have a host"),
        ("https://user@broker.example.com", "neither a user"),
        ("https://user:pw@broker.example.com", "neither a user"),
        ("https://@broker.example.com", "neither a user"),
        ("https://broker.example.com\\@evil.example", "neither a user"),
        ("https://broker.example.com?a=b", "no query"),
        ("https://broker.example.com/?", "no query"),
        ("https://broker.example.com#a", "no fragment"),
        ("https://broker.example.com:99999", "cannot be read"),
        ("https://broker.example.com:x", "cannot be read"),
        ("https://[::1", "cannot be read"),
        ("https://bröker.example.com", "characters that no URL has"),
        ("https://broker.example.com/a b", "characters that no URL has"),
        ("https://broker.example.com\n", "characters that no URL has"),
        ("https://broker\t.example.com", "characters that no URL has"),
        (" https://broker.example.com", "characters that no URL has"),
    ],
)
def test_it_is_refused(text: str, said: str) -> None:
    with pytest.raises(Misuse) as refused:
        broker_url(text)

    assert said in str(refused.value)


@pytest.mark.parametrize("text", ["amqp://guest:s3cret@rabbit", "x:s3cret@rabbit://", "x:s3cret"])
def test_a_url_of_celery_gets_a_hint_and_keeps_its_password(text: str) -> None:
    with pytest.raises(Misuse, match="Celery") as refused:
        broker_url(text)

    assert "s3cret" not in str(refused.value)
    assert "--url" in str(refused.value)


PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(
    lambda text: f"s3cr{text}et"
)
SCHEMES = st.sampled_from(["amqp", "amqps", "redis", "sqs", "https", "http", "HTTPS", "x"])


@given(
    scheme=SCHEMES, password=PASSWORDS, place=st.sampled_from(["//u:{}@h", "{}@h//", "//{}:x@h"])
)
def test_no_password_is_ever_shown(scheme: str, password: str, place: str) -> None:
    with pytest.raises(Misuse) as refused:
        broker_url(f"{scheme}:{place.format(password)}")

    assert password not in str(refused.value)
    assert str(refused.value).isprintable()


@given(
    text=st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("http://[".__add__))
)
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        url = broker_url(text)
    except Misuse:
        return
    assert broker_url(url) == url
    assert url.isascii()
    assert url.isprintable()
    assert url.lower().startswith(("https://", "http://"))
    assert "@" not in url.split("/")[2]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://a.example", "https://a.example/x", True),
        ("https://a.example", "https://A.example:443", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:444", False),
        ("https://a.example", "https://b.example", False),
        ("https://a.example", "https://a.example.b.example", False),
        ("https://a.example", "https://a.example@b.example", False),
        ("https://a.example", "https://[::1", False),
        ("https://a.example", "https://a.example:x", False),
        ("urn:a", "urn:b", False),
        ("sts.amazonaws.com", "sts.amazonaws.com", False),
        ("", "", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert same_origin(one, other) is same


@given(one=st.text(), other=st.text())
def test_any_texts_have_an_origin_or_none(one: str, other: str) -> None:
    assert same_origin(one, other) in (True, False)
