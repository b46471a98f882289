"""Who gets the device next."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from embeddings.priority import Priority
from tests.kb.running import waiting


class Crowd:
    """Threads that wait for a device that is held."""

    def __init__(self, device: Priority) -> None:
        self.device = device
        self.order: list[str] = []
        self.threads: list[threading.Thread] = []

    def come(self, name: str, way: Callable[[], AbstractContextManager[None]]) -> None:
        def use() -> None:
            with way():
                self.order.append(name)

        before = sum(self.device._waiting)
        thread = threading.Thread(target=use)
        thread.start()
        self.threads.append(thread)
        waiting.until(lambda: sum(self.device._waiting) > before, seconds=10)

    def leave(self) -> list[str]:
        for thread in self.threads:
            thread.join(10)
        return self.order


@pytest.mark.parametrize("holder", ["first", "second", "after"])
def test_queries_go_first_then_reranking_then_passages(holder):
    device = Priority()
    crowd = Crowd(device)
    with getattr(device, holder)():
        crowd.come("passages", device.after)
        crowd.come("reranking", device.second)
        crowd.come("query", device.first)
    assert crowd.leave() == ["query", "reranking", "passages"]


def test_passages_give_way_to_both():
    device = Priority()
    crowd = Crowd(device)
    with device.after():
        crowd.come("reranking", device.second)
        crowd.come("query", device.first)
        device.give_way()
        crowd.order.append("passages")
    assert crowd.leave() == ["query", "reranking", "passages"]


def test_they_do_not_give_way_to_their_like():
    device = Priority()
    crowd = Crowd(device)
    with device.after():
        crowd.come("others", device.after)
        device.give_way()
        crowd.order.append("passages")
    assert crowd.leave() == ["passages", "others"]
