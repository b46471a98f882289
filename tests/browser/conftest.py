"""A real Chromium, and a page that remembers what its console said."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

# Playwright's synchronous interface runs an event loop in this thread, which Django takes for an asynchronous view.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# A machine that does other things besides is slow, not wrong.
expect.set_options(timeout=20_000)

# What Chromium itself says of an upload that was refused, as one is on purpose.
_REFUSED = "the server responded with a status of 415"

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None:
        pytest.fail("The browser tests need a Chromium: install the package chromium.", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, live_server, transactional_db) -> Iterator[Open]:
    """A page of the site, signed in as alice. At the end its console must have said nothing: no error, and nothing
    that the content security policy had to stop."""
    said: list[str] = []
    contexts = []

    def open_one(
        path: str = "/", *, sign_in: bool = True, tolerated: tuple[str, ...] = (_REFUSED,), **context: object
    ) -> Page:
        def note(message: ConsoleMessage) -> None:
            if not any(known in message.text for known in tolerated):
                said.append(f"{message.type}: {message.text}")

        contexts.append(chromium.new_context(base_url=live_server.url, **context))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.goto(path)
        if sign_in:
            page.fill("#id_username", "alice")
            page.fill("#id_password", "alice-password")
            page.press("#id_password", "Enter")
            page.wait_for_url(lambda url: "sign-in" not in url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert said == []
