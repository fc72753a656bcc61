"""Every link inside the project leads somewhere, headings included; nothing is left unlinked."""

import pytest

from tests.docs.markdown import ROOT, Page, pages

PAGES = [pytest.param(page, id=page.path) for page in pages()]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: Page) -> None:
    lost = []
    for link in page.links():
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page.path).parent / path if path else ROOT / page.path
        if not target.resolve().exists() or not target.resolve().is_relative_to(ROOT):
            lost.append(link)
        elif anchor:
            reached = Page(target.resolve().relative_to(ROOT).as_posix())
            if anchor not in reached.anchors():
                lost.append(link)

    assert lost == []


def test_the_map_of_the_documentation_names_every_page() -> None:
    linked = {
        (ROOT / folder / link).resolve().relative_to(ROOT).as_posix()
        for folder in ("docs", "docs/lints")
        for link in Page(f"{folder}/README.md").links()
    }
    below = {page.path for page in pages() if page.path.startswith("docs/")} - {"docs/README.md"}

    assert below - linked == set()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title(page: Page) -> None:
    assert len(page.headings(level=1)) == 1
