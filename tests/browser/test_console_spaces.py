"""A collection taken into another space in the console, in a real browser."""

import pytest
from playwright.sync_api import expect

from embeddings import spaces
from embeddings.models import Space
from kb import ingestion
from kb import spaces as kb_spaces
from kb.models import Reembedding, User
from tests.conftest import ANSWERED

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TIDES = "\n\n".join(f"# Tide {n}\n\nThe tide turns {n} times at the pier." for n in range(40))


@pytest.fixture
def other():
    space = spaces.keep(spaces.of("hashing", spaces.describe("hashing", dimensions=128)))
    ANSWERED.append(space)
    yield space
    ANSWERED.remove(space)
    for one in Space.objects.all():
        kb_spaces.drop(one, one.storage)


@pytest.fixture
def console(alice, collection, upload, work, other, open_page):
    """The console's page of a collection with passages, and alice looks after everything."""
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    upload("tides.md", TIDES, title="Tides")
    work()
    return open_page(f"/console/kb/collection/{collection.pk}/change/")


def test_one_whole_way(console, collection, other, work, answering, monkeypatch):
    page = console
    page.get_by_role("link", name="Re-embed into another space").click()
    expect(page.locator(".field-collections")).to_contain_text("Field notes")
    page.locator("#id_space").select_option(label=other.name)
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="Re-embedding of “Field notes”")).to_be_visible()
    expect(page.locator(".way")).to_contain_text("0 of 40 passages")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    # Nobody touches the page: it says itself that the workers have come further.
    monkeypatch.setattr(kb_spaces, "INDEX_ROWS", 10)
    work()
    expect(page.locator(".way")).to_contain_text("The index is still to be built")
    kb_spaces.tend()
    ingestion.sweep()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#comparison")).to_contain_text("Document found in")
    page.get_by_role("button", name="Switch").click()
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("button", name="Switch").click()
    page.get_by_role("link", name="Drop the space before").click()
    expect(page.locator("#content")).to_contain_text("There is no way back")
    page.get_by_role("link", name="Go back").click()
    page.get_by_role("link", name="Drop the space before").click()
    page.get_by_role("button", name="Drop the space before").click()
    expect(page.locator(".way")).to_contain_text("the space before was dropped")
    collection.refresh_from_db()
    assert (collection.active_space_id, collection.previous_space_id) == (other.pk, None)


def test_on_the_collections_own_page_a_question_stays_open_while_the_passages_are_counted(
    console, collection, alice, other
):
    page = console
    page.goto(f"/collections/{collection.slug}/settings/")
    page.locator("#space").get_by_role("button", name="Begin").click()
    renewed = f"**/collections/{collection.slug}/reembedding/?state=building"
    page.get_by_role("button", name="Cancel the re-embedding…").click()
    question = page.get_by_role("alertdialog", name="Cancel the re-embedding?")
    for _renewal in range(2):
        with page.expect_response(renewed):
            expect(question).to_be_visible()
    question.get_by_role("button", name="Cancel the re-embedding").click()
    expect(page.locator("#space").get_by_role("button", name="Begin")).to_be_visible()
    assert Reembedding.objects.get().state == "cancelled"
