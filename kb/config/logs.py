"""What is written of requests into the log."""

import logging


class OneLine(logging.Filter):
    """A request that is refused is no fault of the program: one line, without a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "status_code", 500) < 500:
            record.exc_info = None
        return True
