#!/usr/bin/env python
"""The commands of Concordance: `python manage.py up` starts everything."""

import os
import sys

OLDEST_PYTHON = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit("Concordance needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kb.config.settings")
    if sys.argv[1:2] == ["up"]:
        # Without Django: it decides where the servers are, and the settings cannot be read before.
        from kb.running import up

        sys.exit(up.main(sys.argv[2:]))
    if sys.argv[1:2] == ["bench"] and "--own-servers" in sys.argv:
        from kb.running import aside

        sys.exit(aside.run(sys.argv[1:]))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
