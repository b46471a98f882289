"""Offsets and counts of texts of any length, in any script; and where a model is found."""

import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import tokens
from embeddings.encoder import EncoderError, is_between_letters
from embeddings.tokens import ModelTokenizer
from tests.embeddings import sentences

LONG = "\n".join(sentences.texts(600, seed=2))
"""Longer than several of the pieces in which long texts are tokenized."""

_CLEAN = st.characters(exclude_categories=["Cs", "Cc"])


@pytest.fixture(scope="module")
def tokenizer(bundled_folder: Path) -> ModelTokenizer:
    return tokens.load(bundled_folder)


@pytest.fixture(scope="module", params=["bundled_folder", "qwen_folder"])
def each_folder(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


def test_it_works(tokenizer: ModelTokenizer) -> None:
    text = "Hello  brave world"
    assert [text[a:b] for a, b in tokenizer.offsets(text)] == ["Hello", "bra", "ve", "world"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("人工智能正在改变世界。", ["人工智能", "正在", "改变", "世界", "。"]),
        ("ｆｕｌｌ ﬁne", ["ｆｕｌｌ", "ﬁne"]),
        ("โลก กำลัง", ["โลก", "กำลัง"]),
        ("नम स्ते", ["नम", "स्ते"]),
        ("𝒜 café", ["𝒜", "café"]),
    ],
)
def test_offsets_are_of_characters_in_the_text_as_given(tokenizer: ModelTokenizer, text: str, words: list[str]) -> None:
    found = {text[a:b] for a, b in tokenizer.offsets(text)}
    assert set(words) <= found


def test_a_long_text_has_the_tokens_it_has_as_a_whole(each_folder: Path) -> None:
    whole = tokenizers.Tokenizer.from_file(str(each_folder / "tokenizer.json"))
    expected = [(a, b) for a, b in whole.encode(LONG, add_special_tokens=False).offsets if LONG[a:b].strip()]
    found = [(a, b) for a, b in tokens.load(each_folder).offsets(LONG) if LONG[a:b].strip()]
    assert len(LONG) > 5 * 8192
    assert [b for _, b in found] == [b for _, b in expected]
    assert "".join(LONG[a:b] for a, b in found) == "".join(LONG[a:b].lstrip() for a, b in expected)


def test_a_text_has_the_tokens_of_its_parts_on_both_sides_of_a_space_between_letters(each_folder: Path) -> None:
    tokenizer = tokens.load(each_folder)
    text = LONG[:4000]
    places = [at for at in range(1, len(text) - 1) if text[at] == " " and is_between_letters(text, at)]
    [none, whole, *parts] = tokenizer.count_after(
        "", ["", text, *(part for at in places for part in (text[:at], text[at:]))]
    )
    assert len(places) > 100
    assert {before + after - none for before, after in zip(parts[::2], parts[1::2], strict=True)} == {whole}


def test_a_text_without_spaces_is_cut_without_loss(tokenizer: ModelTokenizer) -> None:
    text = "".join("".join(sentences.SENTENCES["zh"]).split()) * 500
    found = list(tokenizer.offsets(text))
    assert _covered(found) == set(range(len(text)))
    assert found == sorted(found)


def test_no_piece_begins_with_a_combining_mark(tokenizer: ModelTokenizer) -> None:
    text = "ก" + "ที่นี่" * 3000
    assert all(text[start].isalnum() for start, _end in tokens._pieces(text))
    assert _covered(tokenizer.offsets(text)) == set(range(len(text)))


@settings(max_examples=100, deadline=None)
@given(text=st.text(_CLEAN, max_size=300), times=st.sampled_from([1, 1, 100]))
def test_offsets_are_in_the_text_in_order_and_cover_every_letter(bundled_folder: Path, text: str, times: int) -> None:
    text = text * times
    found = list(_tokenizer_of(bundled_folder).offsets(text))
    assert all(0 <= start <= end <= len(text) for start, end in found)
    assert found == sorted(found)
    letters = {place for place, character in enumerate(text) if "a" <= character <= "z"}
    assert letters <= _covered(found)


def test_counts_hold_prompt_and_special_tokens(tokenizer: ModelTokenizer, bundled_folder: Path) -> None:
    whole = tokenizers.Tokenizer.from_file(str(bundled_folder / "tokenizer.json"))
    texts = [*sentences.texts(40), "", LONG]
    assert tokenizer.count(texts) == [len(whole.encode("passage: " + text).ids) for text in texts]


def test_megabytes_take_time_in_proportion(tokenizer: ModelTokenizer) -> None:
    text = LONG * 8
    once, eight_times = _seconds(tokenizer, LONG), _seconds(tokenizer, text)
    assert eight_times < 8 * 4 * max(once, 0.05)


def test_neither_it_nor_what_web_processes_import_loads_torch(bundled_folder: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from embeddings import bundled, encoder, fingerprint, hashing, tokens\n"
        "folder = tokens.prepare(sys.argv[1], pathlib.Path())\n"
        "assert tokens.load(folder).count(['one'])\n"
        "assert fingerprint.of_folder(folder).dimensions == 384\n"
        "assert hashing.HashingEncoder().encode_queries(['one']).shape == (1, 64)\n"
        "print(sorted(m for m in sys.modules if m in ('torch', 'transformers', 'sentence_transformers')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundled_folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert tokens.prepare(str(tmp_path), tmp_path / "data") == tmp_path


@pytest.mark.parametrize("model", ["no such model", "../models/e5", "a/b/c", ""])
def test_what_is_neither_folder_nor_hub_name_is_refused(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderError, match="neither a folder that exists, nor a hub name"):
        tokens.prepare(model, tmp_path)


def test_a_model_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    # The hub is asked in a process of its own, told to stay offline, so that the test does not depend on a network.
    program = (
        "import pathlib\n"
        "from embeddings import encoder, tokens\n"
        "try: tokens.prepare('nobody/no-such-model', pathlib.Path())\n"
        "except encoder.EncoderError as error: print(error)\n"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=offline)
    assert done.stdout.startswith("The model nobody/no-such-model is not on this machine and could not be downloaded")


def test_what_is_not_here_is_not_asked_for_where_files_are_read(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hub:
        program = (
            "import pathlib\n"
            "from embeddings import tokens\n"
            "try: tokens.find('nobody/no-such-model', pathlib.Path())\n"
            "except tokens.NotDownloaded as error: print(error)\n"
        )
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        environment = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
        )
        assert "run `hf download nobody/no-such-model`, or let HF_HOME name" in done.stdout
        hub.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody has called
            hub.accept()


def _tokenizer_of(folder: Path) -> ModelTokenizer:
    if folder not in _loaded:
        _loaded[folder] = tokens.load(folder)
    return _loaded[folder]


_loaded: dict[Path, ModelTokenizer] = {}


def _covered(offsets: Iterable[tuple[int, int]]) -> set[int]:
    return {place for start, end in offsets for place in range(start, end)}


def _seconds(tokenizer: ModelTokenizer, text: str) -> float:
    started = time.process_time()
    deque(tokenizer.offsets(text), maxlen=0)
    return time.process_time() - started
