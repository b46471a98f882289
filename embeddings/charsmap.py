"""Replacements of characters in the form SentencePiece models carry them, which `tokenizers.Precompiled` reads.

The form is SentencePiece's `precompiled_charsmap`: the size of a trie in bytes, the trie, and the replacements, each
ended by a zero byte. The trie is a double array of 32-bit units as darts-clone lays it out: a node stands at a
position and has a base; its child by byte B stands at base XOR B, and the child by 0 is a leaf holding a value.
https://github.com/google/sentencepiece/blob/master/src/normalizer.cc
https://github.com/s-yata/darts-clone/blob/master/include/darts.h
"""

import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

_HAS_LEAF = 1 << 8
_IS_LEAF = 1 << 31
_OFFSET_SHIFT = 10
_OFFSET_LIMIT = 1 << 21


@dataclass
class _Node:
    """A node of the trie: its children by the next byte of the key, and the value of the key that ends here."""

    children: dict[int, "_Node"] = field(default_factory=dict)
    value: int | None = None

    def steps(self) -> tuple[int, ...]:
        """The bytes that lead on from here; 0 leads to the value."""
        return (*(() if self.value is None else (0,)), *self.children)


def build(replacements: Mapping[str, str]) -> bytes:
    """The charsmap that replaces each key of `replacements` by its value. Neither may hold a zero character."""
    texts = bytearray()
    root = _Node()
    for key, text in sorted(replacements.items()):
        _insert(root, key.encode(), len(texts))
        texts += text.encode() + b"\0"
    trie = _DoubleArray(root).to_bytes()
    return struct.pack("<I", len(trie)) + trie + bytes(texts)


def _insert(root: _Node, key: bytes, value: int) -> None:
    node = root
    for byte in key:
        node = node.children.setdefault(byte, _Node())
    node.value = value


class _DoubleArray:
    """A trie laid out in one array, each node where its children find free places."""

    def __init__(self, root: _Node) -> None:
        self._units: dict[int, int] = {0: 0}
        self._bases: set[int] = set()
        self._searched: dict[tuple[int, ...], int] = {}
        self._place(0, root)

    def to_bytes(self) -> bytes:
        """All units, to the end of the last block of 256, so that no byte leads a reader out of the array."""
        size = (max(self._units.keys() | self._bases) | 0xFF) + 1
        return struct.pack(f"<{size}I", *(self._units.get(position, 0) for position in range(size)))

    def _place(self, position: int, node: _Node) -> None:
        base = self._find_base(node.steps())
        offset = position ^ base
        if offset >= _OFFSET_LIMIT:
            raise ValueError("Too many replacements for one trie.")
        self._units[position] |= offset << _OFFSET_SHIFT
        if node.value is not None:
            self._units[position] |= _HAS_LEAF
            self._units[base] = node.value | _IS_LEAF
        # All children are seated before any grandchild looks for a place.
        self._units.update((base ^ byte, byte) for byte in node.children)
        for byte, child in node.children.items():
            self._place(base ^ byte, child)

    def _find_base(self, steps: tuple[int, ...]) -> int:
        """A base no other node has, with the places of all steps free. Were bases shared, a reader could step from one
        node to another's child, as a unit records its byte but not its parent."""
        # Places only fill up, so the search for the same steps goes on where the last one ended.
        start = self._searched.get(steps, 1)
        base = next(base for base in itertools.count(start) if self._fits(steps, base))
        self._searched[steps] = base + 1
        self._bases.add(base)
        return base

    def _fits(self, steps: tuple[int, ...], base: int) -> bool:
        return base not in self._bases and not any(base ^ byte in self._units for byte in steps)
