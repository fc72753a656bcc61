"""What docs/reference/interop.md says of programs that Debian has in one version or another."""

from tests.interop.page_rows import PAGE, Row, rows_of_the_page


def assert_said(here: Row) -> None:
    """Hold a row to the page; another version than the page's may only refuse more."""
    said = next((row for row in rows_of_the_page() if row.verifier == here.verifier), None)
    complaint = f"{PAGE.path} has to say: {here.line}"
    assert said is not None, complaint
    if said.version == here.version:
        assert here == said, complaint
    else:
        assert set(here.accepted) >= set(said.accepted), complaint
        assert here.but <= said.but, complaint
