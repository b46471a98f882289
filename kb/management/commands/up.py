"""`manage.py up` as Django lists and explains it; manage.py itself runs it before there are settings."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand

from kb.running import up


class Command(BaseCommand):
    help = "Run the whole product on this machine: database, broker, web, workers and beat."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        up.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(up.run(Namespace(**options)))
