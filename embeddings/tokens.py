"""The tokenizer of a model folder, on texts of any length; and where the folder of a configured model is."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import huggingface_hub
import tokenizers

from embeddings import bundled, devices, layout
from embeddings.encoder import EncoderError, is_between_letters

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
"""Weights as safetensors only: other forms are pickles, which can run any code when they are loaded."""

_PIECE_CHARS = 8192
"""The time `tokenizers` takes grows faster than the text, so a long one is tokenized in pieces of about this size."""
_PIECES_AT_ONCE = 64
"""What it returns of each piece takes some 200 bytes a token: a few pieces at a time bound that."""


class ModelTokenizer:
    """A model's own tokenizer, without the model. See encoder.Tokenizer."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, *, passage_prompt: str) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._passage_prompt = passage_prompt
        self._special_tokens = tokenizer.num_special_tokens_to_add(is_pair=False)

    def offsets(self, text: str) -> Iterator[tuple[int, int]]:
        """See encoder.Tokenizer. White space in front of a token is left out of its range; tokens smaller than a
        character have the range of that character."""
        pieces = ((start, text[start:end]) for start, end in _pieces(text))
        for start, encoding in _encoded(self._tokenizer.encode_batch, pieces):
            ranges = [(start + a, start + b) for a, b in encoding.offsets]
            # A call for each token, of which few begin with white space, would take half as long as finding them.
            yield from [_trim(text, a, b) if text[a : a + 1].isspace() else (a, b) for a, b in ranges]

    def count(self, texts: Sequence[str]) -> list[int]:
        """See encoder.Tokenizer."""
        return self.count_after(self._passage_prompt, texts)

    def count_after(self, prompt: str, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text behind `prompt`, special tokens counted in."""
        counts = [self._special_tokens] * len(texts)
        whole = enumerate(prompt + text for text in texts)
        pieces = ((number, text[start:end]) for number, text in whole for start, end in _pieces(text))
        for number, encoding in _encoded(self._tokenizer.encode_batch_fast, pieces):  # it leaves out the offsets
            counts[number] += len(encoding)
        return counts


def _encoded(
    encode: Callable[..., list[tokenizers.Encoding]], pieces: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, tokenizers.Encoding]]:
    """Each piece's number with its tokens."""
    while group := list(islice(pieces, _PIECES_AT_ONCE)):
        numbers, texts = zip(*group, strict=True)
        yield from zip(numbers, encode(texts, add_special_tokens=False), strict=True)


def load(folder: Path) -> ModelTokenizer:
    """The tokenizer of the model in `folder`. Raises EncoderError."""
    model = layout.read(folder)
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return ModelTokenizer(tokenizer, passage_prompt=model.passage_prompt)


def load_alone(folder: Path) -> ModelTokenizer:
    """The tokenizer in a folder without its model; passages are taken to have no prompt. Raises EncoderError."""
    if not (folder / "tokenizer.json").is_file():
        raise EncoderError(f"There is no tokenizer.json in {folder}.")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return ModelTokenizer(tokenizer, passage_prompt="")


class NotDownloaded(EncoderError):
    """This model of the hub is not on this machine."""


def prepare(model: str, data_dir: Path) -> Path:
    """The local folder of a model, downloaded if it is a hub's and not here yet: once, into the hub's own cache
    (HF_HOME), and it stays at the revision it then had. Raises EncoderError, with a sentence, when it cannot be had."""
    try:
        return find(model, data_dir)
    except NotDownloaded:
        return _download(model)


def find(model: str, data_dir: Path) -> Path:
    """The local folder of a model, without asking any network: "bundled" is built under `data_dir`, a folder is that
    folder, and a hub name is looked up in the hub's cache. Raises EncoderError, with what to do."""
    if model == devices.BUNDLED:
        return bundled.build(data_dir / "models" / bundled.NAME)
    if model and Path(model).is_dir():
        return Path(model)
    if not is_hub_name(model):
        raise EncoderError(
            f"The model {model!r} is neither a folder that exists, nor a hub name, nor {devices.BUNDLED!r}."
        )
    try:
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=_HUB_FILES, local_files_only=True))
    except OSError as error:  # nothing of it is here, or not all
        raise NotDownloaded(
            f"The model {model} is not on this machine, and nothing is read while it is downloaded: run "
            f"`hf download {model}`, or let HF_HOME name the folder in which the embed worker keeps it."
        ) from error


def is_hub_name(model: str) -> bool:
    """Whether this is a model's name on the hub, as far as its form tells."""
    return bool(_HUB_NAME.fullmatch(model))


def _download(model: str) -> Path:
    try:
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=_HUB_FILES))
    except Exception as error:  # the hub client's own errors, its HTTP library's and the system's have no common class
        raise EncoderError(f"The model {model} is not on this machine and could not be downloaded: {error}") from error


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Ranges that cover the text in order, each of at most _PIECE_CHARS characters."""
    start = 0
    while len(text) - start > _PIECE_CHARS:
        end = _cut(text, start)
        yield start, end
        start = end
    yield start, len(text)


def _cut(text: str, start: int) -> int:
    """Where the piece from `start` ends. In front of white space where there is any, between letters if it can be:
    there a token begins anyway. Else in front of a character that is not joined to the one before it."""
    limit = start + _PIECE_CHARS
    middle = start + _PIECE_CHARS // 2
    space = text.rfind(" ", middle, limit)
    while space > middle and not is_between_letters(text, space):
        space = text.rfind(" ", middle, space)
    if space > middle:
        return space
    for white in (" ", "\n"):
        space = text.rfind(white, middle, limit)
        end = middle + len(text[middle:space].rstrip()) if space > 0 else 0
        if end > middle:
            return end
    return next((at for at in range(limit, middle, -1) if text[at].isalnum() or text[at].isspace()), limit)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without white space in front; whole when there is nothing else in it."""
    trimmed = start
    while trimmed < end and text[trimmed].isspace():
        trimmed += 1
    return (trimmed, end) if trimmed < end else (start, end)
