"""Every word for people is there in every language."""

import pytest
from babel.messages import Catalog, pofile
from django.core.management import CommandError, call_command
from django.utils import translation
from django.utils.translation import trans_real

from kb import translations


def test_none_is_missing():
    call_command("translations", "check")


def test_a_missing_one_is_named(settings, tmp_path):
    settings.LOCALE_PATHS = [tmp_path]
    with pytest.raises(CommandError, match="Ask in any language"):
        call_command("translations", "check")


def test_a_guess_counts_as_missing(settings, tmp_path):
    settings.LOCALE_PATHS = [tmp_path]
    guessed = Catalog(locale="zh_Hans")
    guessed.add("Sign out", "退出登录", flags=["fuzzy"])
    guessed.add("Search", "搜索")
    file = tmp_path / "zh_Hans" / "LC_MESSAGES" / "django.po"
    file.parent.mkdir(parents=True)
    with file.open("wb") as opened:
        pofile.write_po(opened, guessed)
    missing = translations.missing("zh_Hans")
    assert "Sign out" in missing
    assert "Search" not in missing


def test_update_keeps_translations_and_changes_nothing_the_second_time(settings, tmp_path):
    settings.LOCALE_PATHS = [tmp_path]
    first = translations.update("zh_Hans")
    first["Search"].string = "搜索"
    file = tmp_path / "zh_Hans" / "LC_MESSAGES" / "django.po"
    with file.open("wb") as opened:
        pofile.write_po(opened, first)
    assert translations.update("zh_Hans")["Search"].string == "搜索"
    written = file.read_bytes()
    translations.update("zh_Hans")
    assert file.read_bytes() == written


@pytest.mark.parametrize("locale", translations.locales())
def test_translations_name_the_same_values(settings, locale):
    with open(f"{settings.LOCALE_PATHS[0]}/{locale}/LC_MESSAGES/django.po", "rb") as file:
        catalog = pofile.read_po(file)
    for message in catalog:
        errors = [str(error) for error in message.check(catalog)]
        assert not errors, f"{message.id}: {errors}"


def test_compiled_ones_are_used(monkeypatch):
    call_command("translations", "compile")
    monkeypatch.setattr(trans_real, "_translations", {})  # what was loaded before must not answer
    with translation.override("zh-hans"):
        assert translation.gettext("Sign out") == "退出登录"
    assert translation.gettext("Sign out") == "Sign out"
