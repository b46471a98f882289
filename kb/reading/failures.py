"""Why a file cannot be read: a closed list of reasons, each with a sentence for people."""

from enum import StrEnum


class Reason(StrEnum):
    """The reason a revision failed. Stored; shown in the UI, the API and the log."""

    TOO_LARGE = "too_large"
    UNSUPPORTED_TYPE = "unsupported_type"
    TYPE_MISMATCH = "type_mismatch"
    TOO_MANY_PAGES = "too_many_pages"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_TOO_LARGE = "output_too_large"
    ZIP_BOMB = "zip_bomb"
    MALFORMED = "malformed"
    TOO_MUCH_TEXT = "too_much_text"
    NO_TEXT = "no_text"
    ENCRYPTED = "encrypted"
    STORAGE_FULL = "storage_full"
    READER_CRASHED = "reader_crashed"
    FILE_MISSING = "file_missing"
    ENCODER_FAILED = "encoder_failed"
    ENCODER_OUT_OF_MEMORY = "encoder_out_of_memory"
    INTERNAL = "internal"


class Unreadable(Exception):
    """The file is bad: `reason` says how, `detail` is a sentence a person can act on. Never retried."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
