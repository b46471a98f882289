"""Micro-batches on a device of limited memory."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings.batching import MicroBatches
from embeddings.encoder import Embeddings, EncoderOutOfMemory


class Device:
    """Holds `memory` tokens at a time, and gives each text a row that says which text it was."""

    def __init__(self, lengths: Sequence[int], *, memory: int) -> None:
        self.lengths = lengths
        self.memory = memory
        self.runs: list[list[int]] = []

    def encode(self, places: Sequence[int]) -> Embeddings:
        if max(self.lengths[place] for place in places) * len(places) > self.memory:
            raise EncoderOutOfMemory
        self.runs.append([self.lengths[place] for place in places])
        return np.array([[place, -place] for place in places], dtype=np.float32)


def _encode(device: Device, budget: int, between: Callable[[], None] | None = None) -> Embeddings:
    return MicroBatches(budget).encode(device.lengths, device.encode, dimensions=2, between=between)


def test_it_works() -> None:
    device = Device([3, 90, 4, 100, 5], memory=1000)
    assert _encode(device, 200)[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert device.runs == [[100, 90], [5, 4, 3]]


def test_nothing_to_encode() -> None:
    assert _encode(Device([], memory=10), 10).shape == (0, 2)


@given(
    lengths=st.lists(st.integers(0, 50), max_size=40),
    budget=st.integers(1, 500),
    memory=st.integers(50, 500),
)
def test_every_text_is_encoded_once_and_in_its_place(lengths: list[int], budget: int, memory: int) -> None:
    device = Device(lengths, memory=memory)
    calls: list[int] = []
    found = _encode(device, budget, between=lambda: calls.append(len(device.runs)))
    assert found[:, 0].tolist() == list(range(len(lengths)))
    assert calls == list(range(1, len(device.runs) + 1))
    for run in device.runs:
        assert len(run) == 1 or max(run) * len(run) <= min(budget, memory)


def test_a_budget_too_large_is_halved_for_good() -> None:
    batches = MicroBatches(1000)
    device = Device([10] * 64, memory=170)
    batches.encode(device.lengths, device.encode, dimensions=2)
    assert batches.budget == 160
    device.runs.clear()
    batches.encode(device.lengths, device.encode, dimensions=2)
    assert [len(run) for run in device.runs] == [16, 16, 16, 16]


def test_a_text_that_does_not_fit_alone_is_an_error() -> None:
    batches = MicroBatches(100)
    device = Device([20, 20, 60], memory=50)
    with pytest.raises(EncoderOutOfMemory):
        batches.encode(device.lengths, device.encode, dimensions=2)
    assert batches.encode([20, 20], Device([20, 20], memory=50).encode, dimensions=2).shape == (2, 2)
