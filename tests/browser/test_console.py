"""The console in the browser: Django's own pages, under our content security policy."""

import pytest
from playwright.sync_api import expect

from kb.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NOUNS = ("user", "collection", "document", "revision", "chunk", "accesstoken", "embeddingwork", "languagemean")


def test_every_list_opens_and_the_browser_has_no_complaint(alice, upload, work, open_page):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    document = upload("tides.md", "# Tides\n\nThe tide turns.\n", title="Tides")
    work()
    page = open_page("/console/")
    for noun in NOUNS:
        page.goto(f"/console/kb/{noun}/")
        expect(page.locator("#changelist")).to_be_visible()
    page.goto(f"/console/kb/document/{document.pk}/change/")
    expect(page.locator("#id_title")).to_have_value("Tides")


def test_a_token_is_given_out(alice, collection, open_page):
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    page = open_page("/console/kb/accesstoken/add/")
    page.locator("#id_name").fill("script")
    page.get_by_role("checkbox", name="read").check()
    page.locator(".field-user .select2-selection").click()
    page.locator(".select2-results").get_by_text("alice").click()
    page.locator("input[name=_save]").click()
    expect(page.locator(".messagelist code")).to_contain_text("ccd_")
