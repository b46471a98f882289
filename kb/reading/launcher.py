"""The process that becomes Tesseract: `python -m kb.reading.launcher`, started by `tesseract` and by nobody else."""

import json
import sys

from kb.reading.confinement import Ceiling, become


def main() -> None:
    order = json.loads(sys.argv[1])
    become(order["command"], Ceiling(**order["ceiling"]), parent=order["parent"])


if __name__ == "__main__":
    main()
