"""Micro-batches on a device of limited memory."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.batching import GOOD, MicroBatches
from embeddings.encoder import Embeddings, EncoderOutOfMemory


class Device:
    """Holds `memory` tokens at a time, and gives each text a row that says which text it was."""

    def __init__(self, lengths: Sequence[int], *, memory: int, padded: bool = False) -> None:
        self.lengths = lengths
        self.memory = memory
        self.padded = padded
        self.runs: list[list[int]] = []

    def encode(self, places: Sequence[int]) -> Embeddings:
        run = [self.lengths[place] for place in places]
        if self.tokens(run) > self.memory:
            raise EncoderOutOfMemory
        self.runs.append(run)
        return np.array([[place, -place] for place in places], dtype=np.float32)

    def tokens(self, run: Sequence[int]) -> int:
        return max(run) * len(run) if self.padded else sum(run)


def _encode(device: Device, budget: int, between: Callable[[], None] | None = None) -> Embeddings:
    batches = MicroBatches(budget)
    batches.padded = device.padded
    return batches.encode(device.lengths, device.encode, dimensions=2, between=between)


@pytest.mark.parametrize(
    ("padded", "runs"), [(False, [[100, 90, 5, 4], [3]]), (True, [[100, 90], [5, 4, 3]])], ids=["packed", "padded"]
)
def test_it_works(padded: bool, runs: list[list[int]]) -> None:
    device = Device([3, 90, 4, 100, 5], memory=1000, padded=padded)
    assert _encode(device, 200)[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert device.runs == runs


def test_nothing_to_encode() -> None:
    assert _encode(Device([], memory=10), 10).shape == (0, 2)


@given(
    lengths=st.lists(st.integers(0, 50), max_size=40),
    budget=st.integers(1, 500),
    memory=st.integers(50, 500),
    padded=st.booleans(),
)
def test_every_text_is_encoded_once_and_in_its_place(
    lengths: list[int], budget: int, memory: int, padded: bool
) -> None:
    device = Device(lengths, memory=memory, padded=padded)
    calls: list[int] = []
    found = _encode(device, budget, between=lambda: calls.append(len(device.runs)))
    assert found[:, 0].tolist() == list(range(len(lengths)))
    assert calls == list(range(1, len(device.runs)))
    for run in device.runs:
        assert len(run) == 1 or device.tokens(run) <= min(budget, memory)


def test_a_budget_too_large_is_halved() -> None:
    batches = MicroBatches(1000)
    device = Device([10] * 64, memory=170)
    batches.encode(device.lengths, device.encode, dimensions=2)
    assert batches.budget == 160
    assert [len(run) for run in device.runs] == [16, 16, 16, 16]


def test_it_grows_back_to_what_it_was() -> None:
    batches = MicroBatches(1000)
    short = Device([10] * 64, memory=170)
    batches.encode(short.lengths, short.encode, dimensions=2)
    again = Device([1000] * (GOOD * 8), memory=1_000_000)
    batches.encode(again.lengths, again.encode, dimensions=2)
    assert batches.budget == 1000


def test_what_does_not_fit_costs_one_run_in_many() -> None:
    batches = MicroBatches(1000)
    device = Device([10] * 100, memory=900)
    failed = 0
    for _round in range(GOOD):
        before = batches.budget
        batches.encode(device.lengths, device.encode, dimensions=2)
        failed += batches.budget < before
    assert failed <= 3


def test_while_queries_come_in_micro_batches_are_small() -> None:
    device = Device([10] * 20, memory=1000)
    MicroBatches(80).encode(device.lengths, device.encode, dimensions=2, is_pressed=lambda: len(device.runs) < 2)
    assert [len(run) for run in device.runs] == [2, 2, 8, 8]


def test_a_text_that_does_not_fit_alone_is_an_error() -> None:
    batches = MicroBatches(100)
    device = Device([20, 20, 60], memory=50)
    with pytest.raises(EncoderOutOfMemory):
        batches.encode(device.lengths, device.encode, dimensions=2)
    assert batches.encode([20, 20], Device([20, 20], memory=50).encode, dimensions=2).shape == (2, 2)
