"""Every word for people is there in every language."""

import ast
import re
from collections.abc import Iterator

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


REFUSALS = {
    "APIException", "AuthenticationFailed", "NotFound", "ParseError", "PermissionDenied", "ValidationError", "NotNow",
    "Unpreviewable", "Unready", "Unserved", "BadInstruction", "BadQuery", "Busy", "InUse", "Mistake", "Refused",
    "TooLong", "Unmeasurable", "_Unplaced", "_refuse", "add_error",
}  # fmt: skip
"""What people, and programs in their language, are refused something with."""

ENGLISH = {"embeddings/api.py"}
"""OpenAI's API speaks English, as its clients expect."""


def refusing(tree: ast.AST) -> Iterator[ast.expr]:
    """What says why something is refused."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in REFUSALS:
            yield from (*node.args, *(one.value for one in node.keywords))
        if isinstance(node, ast.keyword) and node.arg == "error_messages":
            yield node.value
        if isinstance(node, ast.Assign) and _name(node.targets[0]) == "default_detail":
            yield node.value


def untranslated(node: ast.AST) -> Iterator[str]:
    """The words in an expression that no call of gettext is around."""
    if isinstance(node, ast.Call) and _name(node.func) in ("_", "gettext", "gettext_lazy", "ngettext"):
        return
    if isinstance(node, ast.Constant) and re.search("[A-Za-z]+ [a-z]+", str(node.value)):
        yield str(node.value)
    for inner in ast.iter_child_nodes(node):
        yield from untranslated(inner)


def _name(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def test_why_something_is_refused_is_translated():
    found = []
    for name, code in translations._files():
        if name.endswith(".py") and not re.search("/(management|migrations)/", name) and name not in ENGLISH:
            why = [one for expression in refusing(ast.parse(code)) for one in untranslated(expression)]
            found += [f"{name}: {one}" for one in why]
    assert found == []


def test_words_that_are_not_translated_are_found():
    tree = ast.parse('raise ValidationError({"x": [f"One of {y}.", _("Of all") % {"n": 1}, "a <= b / 2."]})')
    assert [one for expression in refusing(tree) for one in untranslated(expression)] == ["One of "]
