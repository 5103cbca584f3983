"""Byte-level BPE that llama.cpp reads as `llama-bpe`, built from the corpus this folder makes.

Whole words of the fixed texts are tokens of their own, reached through `ignore_merges` (llama.cpp sets
it for llama-bpe). Every other word falls apart into pieces of one or two letters, and no merge crosses
a leading space or punctuation. So a value reads the same behind a space, a quote or an underscore,
which is what lets so small a model copy words that it has never seen.
"""

import re
import sys
import unicodedata
from collections import Counter

CONTROL_TOKENS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|finetune_right_pad_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
]


def _character_class(major):
    """A regex class of every code point of one Unicode major category; `re` has no \\p{L}."""
    ranges, start = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] == major
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(ranges)


_L, _N = _character_class("L"), _character_class("N")

# The split that llama.cpp applies for `llama-bpe`, alternative by alternative.
_SPLIT = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    rf"|[^\r\n{_L}{_N}]?[{_L}]+"
    rf"|[{_N}]{{1,3}}"
    rf"| ?[^\s{_L}{_N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def _byte_alphabet():
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, extra = {}, 0
    for byte in range(256):
        if byte in printable:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(256 + extra)
            extra += 1
    return table


BYTE_TO_CHAR = _byte_alphabet()
CHAR_TO_BYTE = {char: byte for byte, char in BYTE_TO_CHAR.items()}


def split(text):
    return _SPLIT.findall(text)


def to_symbols(piece):
    return "".join(BYTE_TO_CHAR[byte] for byte in piece.encode("utf-8"))


class Tokenizer:
    def __init__(self, tokens, merges):
        self.tokens, self.merges = tokens, merges
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.ranks = {tuple(pair.split(" ")): i for i, pair in enumerate(merges)}
        self.control = {token: self.ids[token] for token in CONTROL_TOKENS}
        self._cache = {}

    def _merge(self, symbols):
        parts = list(symbols)
        while len(parts) > 1:
            ranked = [
                (self.ranks.get((parts[i], parts[i + 1]), len(self.ranks)), i)
                for i in range(len(parts) - 1)
            ]
            rank, at = min(ranked)
            if rank == len(self.ranks):
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return [self.ids[part] for part in parts]

    def encode(self, text):
        """One text segment; control-token text stays text."""
        out = []
        for piece in split(text):
            ids = self._cache.get(piece)
            if ids is None:
                symbols = to_symbols(piece)
                whole = self.ids.get(symbols)
                ids = [whole] if whole is not None else self._merge(symbols)
                if len(self._cache) < 200_000:
                    self._cache[piece] = ids
            out.extend(ids)
        return out

    def encode_segments(self, segments):
        """Segments as the library sends them: a border between segments is a border between tokens."""
        out = []
        for kind, text in segments:
            if kind == "control":
                out.append(self.control[text])
            else:
                out.extend(self.encode(text))
        return out

    def decode(self, ids):
        data = bytearray()
        for i in ids:
            token = self.tokens[i]
            if token in self.control:
                data += token.encode()
            else:
                data += bytes(CHAR_TO_BYTE[char] for char in token)
        return data.decode("utf-8", errors="replace")


def train(scenes, values, least_count, pair_limit):
    """Whole words are pieces found in `least_count` scenes or more: a made-up word is at home in one. Letter
    pairs are counted in `values`, the words that must stay spelled."""
    spelled = {value.lower() for value in values}
    words = Counter()
    for texts in scenes:
        words.update({piece for text in set(texts) for piece in split(text)})
    pairs = Counter()
    for value in values:
        for word in re.findall(r"[A-Za-z]+", value):
            pairs.update((word[i], word[i + 1]) for i in range(len(word) - 1))
    merges = [f"{a} {b}" for (a, b), _ in sorted(pairs.items(), key=lambda p: (-p[1], p[0]))]
    merges = merges[:pair_limit]

    tokens = [BYTE_TO_CHAR[byte] for byte in range(256)]
    tokens += [merge.replace(" ", "") for merge in merges]
    known = set(tokens)
    for piece, count in sorted(words.items(), key=lambda w: (-w[1], w[0])):
        letters = re.sub(r"[^A-Za-z]", "", piece).lower()
        # Digits stay single, so that a number of any length is copied digit by digit.
        if count < least_count or letters in spelled or any(char.isdigit() for char in piece):
            continue
        symbols = to_symbols(piece)
        if symbols not in known:
            tokens.append(symbols)
            known.add(symbols)
    return Tokenizer(tokens + CONTROL_TOKENS, merges)
