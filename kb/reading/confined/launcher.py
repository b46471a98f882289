"""The process that becomes Tesseract: `python -m kb.reading.confined.launcher`, started by `tesseract` alone."""

import json
import sys

from kb.reading.confined.confinement import Ceiling, become


def main() -> None:
    order = json.loads(sys.argv[1])
    become(order["command"], Ceiling(**order["ceiling"]), parent=order["parent"])


if __name__ == "__main__":
    main()
