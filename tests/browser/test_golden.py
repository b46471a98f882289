"""Golden queries in the browser: one click on a hit, a measuring, a chart; with and without a script."""

import pytest
from playwright.sync_api import Page, expect

from kb import ingestion
from search import runs
from search.models import Judgement

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TIDES = "# Tides\n\nThe tide turns twice a day.\n\n## The moon\n\nThe moon pulls the sea towards it.\n"
CLIPPED = """() => {
  const frame = document.querySelector(".chart svg").getBoundingClientRect();
  const isWithin = (box) => box.left >= frame.left && box.right <= frame.right && box.top >= frame.top;
  const labels = Array.from(document.querySelectorAll(".chart-scale text"));
  return labels.filter((one) => !isWithin(one.getBoundingClientRect())).map((one) => one.textContent);
}"""
ADDRESS = "/collections/field-notes/golden/"


@pytest.fixture
def corpus(upload, work, answering) -> None:
    upload("tides.md", TIDES, title="Tides")
    work()
    ingestion.sweep()


def grades() -> list[int]:
    return list(Judgement.objects.values_list("grade", flat=True))


@pytest.mark.parametrize("scripted", [True, False])
def test_one_click_on_a_hit(corpus, open_page, scripted):
    page: Page = open_page("/?q=moon+sea", java_script_enabled=scripted)
    hit = page.locator(".hit").first
    hit.get_by_role("button", name="Answers").click()
    expect(hit.get_by_role("button", name="Answers")).to_have_attribute("aria-pressed", "true")
    assert grades() == [3]
    assert page.url.endswith("/?q=moon+sea")
    hit.get_by_role("button", name="Does not answer").click()
    expect(hit.get_by_role("button", name="Does not answer")).to_have_attribute("aria-pressed", "true")
    assert grades() == [0]
    hit.get_by_role("button", name="Does not answer").click()
    expect(hit.get_by_role("button", name="Does not answer")).to_have_attribute("aria-pressed", "false")
    assert grades() == []


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}])
def test_a_run_appears_by_itself_with_a_chart(corpus, collection, alice, open_page, look):
    page: Page = open_page("/?q=moon+sea", **look)
    page.locator(".hit").first.get_by_role("button", name="Answers").click()
    expect(page.locator(".hit [aria-pressed=true]")).to_have_count(1)
    runs.finish(runs.start(alice, collection))
    page.goto(ADDRESS)
    page.get_by_role("button", name="Measure now").click()
    expect(page.locator("#runs")).to_contain_text("Waiting")
    runs.measure_next()
    expect(page.get_by_role("img", name="How good the search was")).to_be_visible()
    expect(page.locator("#runs")).to_contain_text("0 queries better, 0 worse, 1 alike")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(CLIPPED) == []
