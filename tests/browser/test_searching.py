"""What a person does on the search page, by keyboard and by mouse."""

import re
import uuid

import pytest
from playwright.sync_api import Page, Route, expect

from embeddings.models import Space
from kb.models import Collection, Document, Membership, Role
from tests.browser.test_site import narrow_enough

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

WORDS = "The moon pulls the sea towards it, note {n}, and the boats rise. "
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def notes(upload, work) -> None:
    """Fourteen notes in two languages and of two kinds, long enough that the page scrolls."""
    for number in range(12):
        upload(
            f"{number}.md", f"# Note {number}\n\n" + WORDS.format(n=number) * 4, title=f"Note {number}", tags=["sea"]
        )
    upload("mond.txt", "Der Mond zieht das Meer an, und die Boote steigen mit der Flut. Moon. " * 3, title="Mond")
    upload("luna.txt", "La luna atrae el mar hacia ella, y los barcos suben con la marea. Moon. " * 3, title="Luna")
    work()


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.innerText"))


def height(page: Page) -> float:
    return float(page.evaluate("document.documentElement.getBoundingClientRect().height"))


def sign_in(page: Page) -> None:
    page.fill("#id_username", "alice")
    page.fill("#id_password", "alice-password")
    page.press("#id_password", "Enter")
    page.wait_for_url(lambda url: "sign-in" not in url)


def titles(page: Page) -> list[str]:
    return page.locator(".hit .open").all_inner_texts()


def test_the_keyboard_goes_through_the_hits_and_opens_one(alice, notes, open_page):
    page = open_page("/")
    page.goto("/?q=moon&mode=lexical")
    found = titles(page)
    page.locator("#q").focus()
    page.keyboard.press("ArrowDown")
    assert focused(page) == found[0]
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    assert focused(page) == found[1]
    expect(page.locator(".hit").nth(1)).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("j")  # in the box a letter is a letter
    expect(page.locator("#q")).to_have_value("j")
    page.locator(".hit .open").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("mark#passage").first).to_be_in_viewport()


def test_the_keys_are_told(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.locator("body").press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Keys")).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_filters_act_as_they_are_chosen_and_chips_take_them_away(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.evaluate("window.stayed = true")
    page.get_by_role("checkbox", name="German").check()
    expect(page.locator(".hit .open")).to_have_text(["Mond"])
    expect(page.get_by_role("checkbox", name="German")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/\?q=moon&language=de&mode=lexical$"))
    page.get_by_role("checkbox", name="Spanish").check()
    expect(page.locator(".hit")).to_have_count(2)
    page.get_by_role("list", name="Filters in force").get_by_role("link", name="German").click()
    expect(page.locator(".hit .open")).to_have_text(["Luna"])
    expect(page.get_by_role("checkbox", name="German")).not_to_be_checked()
    assert page.evaluate("window.stayed"), "the page was loaded again"
    page.go_back()
    expect(page.locator(".hit")).to_have_count(2)
    expect(page.get_by_role("checkbox", name="German")).to_be_checked()


def test_what_is_chosen_among_further_choices_is_seen_and_stays_in_focus(alice, notes, open_page):
    Document.objects.filter(title="Mond").update(tags=[f"tag {number}" for number in range(10)])
    page = open_page("/?q=moon&mode=lexical")
    box = page.get_by_role("checkbox", name="tag 9")
    page.get_by_text("3 more").click()
    for act, found in ((box.check, 1), (box.uncheck, 10)):
        act()
        expect(page.locator(".hit")).to_have_count(found)
        expect(box).to_be_visible()
        expect(box).to_be_focused()
    page.goto("/?q=moon&mode=lexical&tag=tag+9")
    expect(box).to_be_visible()
    page.goto("/?q=moon&mode=lexical&tag=tag+7")  # the eighth, until it is taken away
    box = page.get_by_role("checkbox", name="tag 7")
    box.uncheck()
    expect(page.locator(".hit")).to_have_count(10)
    expect(box).to_be_focused()


def test_without_scripts_it_is_a_form(alice, notes, open_page):
    page = open_page("/", java_script_enabled=False)
    page.fill("#q", "moon")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".hit")).to_have_count(10)
    page.get_by_role("checkbox", name="German").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("list", name="Filters in force")).to_contain_text("German")
    page.get_by_role("link", name="Cite").first.click()
    assert "@misc{" in page.get_by_label("BibTeX").input_value()


def test_back_from_a_document_comes_to_where_one_was(alice, notes, open_page):
    page = open_page("/")
    page.fill("#q", "moon")
    page.press("#q", "Enter")
    expect(page.locator(".hit")).to_have_count(10)
    hit = page.locator(".hit").nth(7)
    hit.scroll_into_view_if_needed()
    scrolled = page.evaluate("window.scrollY")
    assert scrolled > 200
    hit.locator(".open").click()
    expect(page.locator("mark#passage").first).to_be_visible()
    page.go_back()
    expect(page.locator(".hit")).to_have_count(10)
    page.wait_for_function("at => Math.abs(window.scrollY - at) < 20", arg=scrolled)


def test_back_from_the_next_page_comes_to_where_one_was(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    more = page.get_by_role("link", name="More passages")
    more.scroll_into_view_if_needed()
    scrolled = page.evaluate("window.scrollY")
    more.click()
    expect(page.locator(".hit")).to_have_count(4)
    expect(page.locator(".hit").first).to_be_in_viewport()
    page.go_back()
    expect(page.locator(".hit")).to_have_count(10)
    page.wait_for_function("at => Math.abs(window.scrollY - at) < 20", arg=scrolled)


def test_a_citation_is_copied(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Cite").first.click()
    box = page.get_by_role("dialog", name="Citation")
    expect(box.get_by_label("Markdown link")).to_have_value(re.compile(r"^\[Note \d+.*\]\(<http.*#passage>\)$"))
    box.get_by_role("button", name="Copy").nth(1).click()
    expect(box.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    page.goto(re.search(r"<(.*)>", copied)[1])  # type: ignore[index]
    expect(page.locator("mark#passage").first).to_be_in_viewport()


def test_a_citation_is_copied_where_the_clipboard_is_closed(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("link", name="Cite").first.click()
    box = page.get_by_role("dialog", name="Citation")
    box.get_by_role("button", name="Copy").first.click()
    expect(box.get_by_text(re.compile("Copied|It is selected"))).to_be_visible()
    chosen = "(() => { const at = document.activeElement; return at.selectionEnd - at.selectionStart; })()"
    assert page.evaluate(chosen) == len(box.get_by_label("Text").input_value())


def test_a_search_is_saved_run_again_and_deleted(alice, notes, open_page):
    page = open_page("/?q=moon&language=de&mode=lexical")
    page.get_by_role("button", name="Save this search…").click()
    page.get_by_label("Name").fill("The moon in German")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").get_by_text("The search is saved")).to_be_visible()
    expect(page.get_by_role("link", name="Saved as “The moon in German”")).to_be_visible()
    page.goto("/")
    page.get_by_role("link", name="The moon in German").click()
    expect(page.locator(".hit .open")).to_have_text(["Mond"])
    page.goto("/searches/")
    page.get_by_role("button", name="Delete “The moon in German”").click()
    expect(page.get_by_role("link", name="The moon in German")).to_have_count(0)


def test_recent_searches_are_remembered_and_forgotten(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.goto("/")
    page.get_by_role("link", name="moon", exact=True).click()
    expect(page.locator(".hit")).to_have_count(10)
    page.goto("/searches/")
    page.get_by_role("button", name="Do not remember my searches").click()
    expect(page.get_by_text("What you search for is not remembered.")).to_be_visible()
    page.goto("/?q=boats")
    page.goto("/")
    expect(page.get_by_role("heading", name="Recent searches")).to_have_count(0)


def test_a_server_that_does_not_answer_leaves_what_was_there(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical", tolerated=("net::ERR_FAILED", "htmx:"))
    page.route("**/?q=storm*", lambda route: route.abort())
    page.fill("#q", "storm")
    page.press("#q", "Enter")
    expect(page.get_by_text("No answer came")).to_be_visible()
    expect(page.locator(".hit")).to_have_count(10)
    page.fill("#q", "Mond")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No answer came")).to_be_hidden()
    expect(page.locator(".hit .open").first).to_have_text("Mond")


def test_a_passage_that_is_gone_is_not_cited_and_the_page_says_so(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical", tolerated=("a status of 404", "htmx:", "Response Status Error"))
    Document.objects.all().delete()
    page.locator(".hit .cite").last.click()
    expect(page.get_by_text("This passage is no longer there")).to_be_in_viewport()
    expect(page.get_by_text("You may not do this any more")).to_be_hidden()
    expect(page.get_by_role("dialog", name="Citation")).to_be_hidden()
    expect(page.get_by_text("No answer came")).to_be_hidden()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("This passage is no longer there")).to_be_hidden()
    expect(page.locator(".hit")).to_have_count(10)


def test_what_one_may_not_do_any_more_is_refused_in_words(bob, alice, notes, collection, answering, open_page):
    page = open_page("/?q=moon", tolerated=("a status of 403", "htmx:", "Response Status Error"))
    Collection.objects.update(owner=bob)
    Membership.objects.create(collection=collection, user=alice, role=Role.VIEWER)
    page.locator(".verdict button").last.click()
    expect(page.get_by_text("You may not do this any more")).to_be_in_viewport()
    expect(page.get_by_text("This passage is no longer there")).to_be_hidden()


def test_who_is_signed_out_meanwhile_goes_on_with_what_they_asked_last(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.context.clear_cookies()
    page.fill("#q", "boats")
    page.press("#q", "Enter")
    page.wait_for_url("**/sign-in/**")
    sign_in(page)
    expect(page.locator("#q")).to_have_value("boats")


def test_who_is_signed_out_meanwhile_comes_back_to_the_search_whose_passage_they_cited(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical")
    page.context.clear_cookies()
    page.get_by_role("link", name="Cite").first.click()
    page.wait_for_url("**/sign-in/**")
    sign_in(page)
    expect(page).to_have_url(re.compile(r"/\?q=moon&mode=lexical$"))


def test_on_a_phone_filters_open_and_stay_open(alice, notes, open_page):
    page = open_page("/?q=moon&mode=lexical", viewport=PHONE)
    expect(page.get_by_role("checkbox", name="German")).to_be_hidden()
    page.get_by_role("checkbox", name="Filters").check()
    page.get_by_role("checkbox", name="German").check()
    expect(page.locator(".hit .open")).to_have_text(["Mond"])
    expect(page.get_by_role("checkbox", name="German")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_word_without_an_end_widens_no_page(alice, notes, answering, open_page):
    word = "x" * 300
    page = open_page("/", viewport={"width": 320, "height": 740})
    page.goto(f"/?q={word}")
    page.get_by_role("button", name="Answers", exact=True).first.click()
    expect(page.locator(".verdict [aria-pressed=true]")).to_have_count(1)
    page.get_by_role("button", name="Save this search…").click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Saved as “xxx")).to_be_visible()
    assert narrow_enough(page)
    for path in ("/", "/searches/", "/collections/field-notes/golden/", f"/?q={word}&tag={word}&collection={word}"):
        page.goto(path)
        assert narrow_enough(page), path


@pytest.fixture
def unserved(notes) -> None:
    """No process serves the encoder of the notes."""
    gone = Space.objects.create(
        id=uuid.uuid4(), name="gone", model="gone", fingerprint="gone", dimensions=8, dtype="float32", max_tokens=8
    )
    Collection.objects.update(active_space=gone)


def test_when_the_encoder_is_back_the_page_asks_again(alice, collection, unserved, answering, open_page):
    served = collection.active_space
    page = open_page("/?q=boats")
    page.evaluate("window.stayed = true")
    expect(page.get_by_text("only words were looked for")).to_be_visible()
    Collection.objects.update(active_space=served)
    expect(page.get_by_text("only words were looked for")).to_have_count(0)
    expect(page.locator(".hit").first).to_be_visible()
    assert page.evaluate("window.stayed"), "the page was loaded again"


def test_while_the_page_asks_again_whoever_asks_goes_first(alice, unserved, answering, open_page):
    page = open_page("/", tolerated=("htmx:",))
    page.clock.install()
    page.goto("/?q=boats")
    held: list[Route] = []
    page.route(re.compile(r"/again/|\?q=Mond"), lambda route: held.append(route))
    with page.expect_request("**/again/*"):
        page.clock.run_for(6_000)
    page.fill("#q", "Mond")
    with page.expect_request("**/?q=Mond*"):
        page.press("#q", "Enter")
    page.clock.run_for(6_000)
    held[-1].continue_()
    expect(page).to_have_url(re.compile("q=Mond"))
    expect(page.locator(".hit .open").first).to_have_text("Mond")


def test_the_sentences_that_answer_are_marked_after_the_hits_and_nothing_moves(
    alice, upload, work, answering, open_page
):
    answer = "The moon 🌙 pulls the sea towards it."
    upload("tides.md", f"# Tides 🌊\n\nBoats are kept in the harbour. {answer} Nobody sails in a storm.", title="Tides")
    work()
    page = open_page("/")
    page.fill("#q", "what pulls the sea towards the moon")
    heights: list[float] = []

    def measure_first(route: Route) -> None:
        heights.append(height(page))
        route.continue_()

    page.route("**/sentences/**", measure_first)
    page.press("#q", "Enter")
    expect(page.locator(".hit .answers").first).to_be_visible()
    assert "".join(page.locator(".hit .answers").all_inner_texts()) == answer
    assert heights == [height(page)]


def test_more_like_this_and_back_to_a_question(alice, notes, answering, open_page):
    page = open_page("/?q=Mond&mode=lexical")
    page.get_by_role("link", name=re.compile("More like this.*Mond")).click()
    expect(page.get_by_text("Passages that say something like")).to_be_visible()
    expect(page.locator(".hit").first).to_be_visible()
    assert "Mond" not in titles(page)
    page.get_by_role("checkbox", name="Spanish").check()
    expect(page.locator(".hit .open")).to_have_text(["Luna"])
    page.fill("#q", "moon")
    page.press("#q", "Enter")
    expect(page.get_by_text("Passages that say something like")).to_have_count(0)
