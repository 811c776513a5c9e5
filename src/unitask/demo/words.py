"""The demo model's tokenizers, in the formats of Flux's own two: each word of the captions is one token."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer, T5Tokenizer

TOKENS: Final = 16
"""The most tokens of a text that are read."""
START, END = "<|startoftext|>", "<|endoftext|>"
_BYTES: Final = sorted(pre_tokenizers.ByteLevel.alphabet())
_CLOSE: Final = "</w>"
_SPACE: Final = "\u2581"
_PRINTABLE: Final = range(33, 127)


def clip_tokenizer(words: Sequence[str]) -> Any:
    """Build CLIP's: bytes, and what joins them to these words."""
    merges = _merges(words)
    tokens = [*_BYTES, *(byte + _CLOSE for byte in _BYTES)]
    tokens += dict.fromkeys(left + right for left, right in merges)
    tokens += [START, END]
    numbered = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=numbered, merges=merges, model_max_length=TOKENS)


def t5_tokenizer(words: Sequence[str]) -> Any:
    """Build T5's: these words, small and capitalised, and the printable characters for all else."""
    scores = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), (_SPACE, -4.0)]
    scores += [(_SPACE + form, -1.0) for word in words for form in dict.fromkeys((word, word.capitalize()))]
    scores += [(chr(code), -8.0) for code in _PRINTABLE]
    return T5Tokenizer(vocab=scores, extra_ids=0, model_max_length=TOKENS)


def _merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """Find the pairs whose joining, in this order, makes whole words of letters: the most frequent pair comes first.

    The library's own trainer settles ties by chance, and ids of tokens must be the same in every process.
    """
    spelled = [[*word[:-1], word[-1] + _CLOSE] for word in words]
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for pieces in spelled for pair in pairwise(pieces)):
        merges.append(min(pairs, key=lambda pair: (-pairs[pair], pair)))
        spelled = [_joined(pieces, merges[-1]) for pieces in spelled]
    return merges


def _joined(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """Join a pair wherever it stands."""
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
