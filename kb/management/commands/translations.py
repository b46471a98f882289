"""`manage.py translations`: update, compile or check the catalogues of translations."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kb import translations


class Command(BaseCommand):
    help = "Bring the translations up to the source, compile them for Django, or check that none is missing."
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("action", choices=["update", "compile", "check"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        for locale in translations.locales():
            {"update": self._update, "compile": self._compile, "check": self._check}[action](locale)

    def _update(self, locale: str) -> None:
        catalog = translations.update(locale)
        self.stdout.write(f"{locale}: {len(catalog)} messages, {len(translations.missing(locale))} to translate.")

    def _compile(self, locale: str) -> None:
        self.stdout.write(f"{locale}: {translations.compile_to_binary(locale)}")

    def _check(self, locale: str) -> None:
        lacking = translations.missing(locale)
        if lacking:
            raise CommandError("\n".join([f"{locale}: {len(lacking)} translations are missing:", *lacking]))
