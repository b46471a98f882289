"""Attention within each text of a packed row: several texts one after another, without padding between them.

transformers hands `cu_seq_lens_q` (where texts begin and end in the row) from the model's input down to every layer,
and lets an attention function of one's own be registered: https://huggingface.co/docs/transformers/attention_interface
"""

from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface

PACKED = "packed"
"""Its name in transformers."""


def register(device: str) -> None:
    """Make it known to transformers: PyTorch's own kernel for texts of any length on CUDA, text by text elsewhere.

    One process has one device. Raises ImportError on CUDA with a PyTorch before 2.10.
    """
    AttentionInterface.register(PACKED, _by_kernel() if device.startswith("cuda") else _text_by_text)


def keep_out_of_graphs(device: str) -> None:
    """A model that is compiled calls it as it is: a loop over texts is no part of a graph. PyTorch's kernel may be."""
    if not device.startswith("cuda"):
        AttentionInterface.register(PACKED, torch.compiler.disable(_text_by_text))  # type: ignore[no-untyped-call]


def _text_by_text(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    **arguments: Any,
) -> tuple[torch.Tensor, None]:
    """[1, heads, tokens, size] in, [1, tokens, heads, size] out. On a CPU the rest of a layer is most of the work, and
    done for all texts at once."""
    _refuse_window(arguments)
    groups = query.shape[1] != key.shape[1]
    mixed = torch.empty_like(query.transpose(1, 2))
    for start, end in pairwise(arguments["cu_seq_lens_q"].tolist()):
        text = slice(start, end)
        mixed[:, text] = functional.scaled_dot_product_attention(
            query[:, :, text],
            key[:, :, text],
            value[:, :, text],
            is_causal=bool(module.is_causal) and end - start > 1,
            scale=scaling,
            enable_gqa=groups,
        ).transpose(1, 2)
    return mixed, None


def _by_kernel() -> Any:
    from torch.nn.attention.varlen import varlen_attn  # not in a PyTorch before 2.10

    def attend(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: torch.Tensor | None,
        *,
        scaling: float | None = None,
        **arguments: Any,
    ) -> tuple[torch.Tensor, None]:
        """[1, heads, tokens, size] in, [1, tokens, heads, size] out."""
        _refuse_window(arguments)
        bounds, longest = arguments["cu_seq_lens_q"], arguments["max_length_q"]
        mixed: Any = varlen_attn(  # a tensor: nothing beside it was asked for
            query[0].transpose(0, 1),
            key[0].transpose(0, 1),
            value[0].transpose(0, 1),
            bounds,
            bounds,
            longest,
            longest,
            scale=scaling,
            window_size=(-1, 0) if module.is_causal else (-1, -1),
            enable_gqa=query.shape[1] != key.shape[1],
        )
        return mixed.unsqueeze(0), None

    return attend


def _refuse_window(arguments: dict[str, Any]) -> None:
    if arguments.get("sliding_window") or arguments.get("softcap") or arguments.get("position_bias") is not None:
        raise NotImplementedError("Texts of this model cannot be packed: its attention has a form of its own.")
