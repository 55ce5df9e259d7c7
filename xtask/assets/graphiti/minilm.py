#!/usr/bin/env python3
"""The product's sentence embedding once more, in numpy: for peers that are given the same vectors.

It reads the weights and the vocabulary of `assets/embedding/` and knows nothing of graphs. It was written for many
texts at once: those of like length run through the network together. Run by itself it measures itself against
`minilm-golden.json`: the token ids must be equal, and cosines as near as the product's own have to be.
"""
import json
import os
import pathlib
import struct
import sys
import unicodedata

# Two threads that wait for each other are slower than one, wherever somebody else wants the other core.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
import numpy as np  # noqa: E402

ASSETS = pathlib.Path(__file__).resolve().parents[3] / 'assets/embedding'
LAYERS, HEADS, WIDTH = 6, 12, 384
MAX_TOKENS, MAX_WORD_CHARS = 256, 100
# Tokens in a pass: the largest activations, 3 MB, stay near the processor; 4,096 took 1.8 times as long.
PASS_TOKENS = 512
NORM_EPSILON = 1e-12  # as the model was trained


class Vocabulary:
    """WordPiece of the uncased model: lower case, no accents, longest piece first."""

    def __init__(self, path):
        self.ids = {token: at for at, token in enumerate(path.read_text(encoding='utf-8').split('\n')) if token}
        self.known = {}

    def tokens(self, text):
        ids = [self.ids['[CLS]']]
        for word in words(text):
            if len(ids) >= MAX_TOKENS:
                break
            if word not in self.known:
                self.known[word] = self.pieces(word)
            ids.extend(self.known[word])
        return ids[:MAX_TOKENS - 1] + [self.ids['[SEP]']]

    def pieces(self, word):
        unknown, found, at = [self.ids['[UNK]']], [], 0
        if len(word) > MAX_WORD_CHARS:
            return unknown
        while at < len(word):
            mark = '##' if at else ''
            ends = (end for end in range(len(word), at, -1) if mark + word[at:end] in self.ids)
            end = next(ends, None)
            if end is None:
                return unknown
            found.append(self.ids[mark + word[at:end]])
            at = end
        return found


def alone(c):
    """Characters that are words of their own: punctuation as the model has it, and ideographs."""
    code = ord(c)
    ideograph = 0x3400 <= code <= 0x4dbf or 0x4e00 <= code <= 0x9fff or 0xf900 <= code <= 0xfaff or code >= 0x20000
    symbol = code < 128 and c.isprintable() and not c.isalnum() and c != ' '
    return ideograph or symbol or unicodedata.category(c).startswith('P')


def words(text):
    kept = (c for c in text if c in '\t\n\r' or c != '\ufffd' and not unicodedata.category(c).startswith('C'))
    plain = unicodedata.normalize('NFD', ''.join(kept))
    lower = ''.join(c for c in plain if unicodedata.category(c) != 'Mn').lower()
    return ''.join(f' {c} ' if alone(c) else c for c in lower).split()


def tensors(path):
    """The tensors of a safetensors file as f32; int8 rows are multiplied with their factors."""
    raw = path.read_bytes()
    length = struct.unpack('<Q', raw[:8])[0]
    header, numbers = json.loads(raw[8:8 + length]), raw[8 + length:]
    header.pop('__metadata__', None)
    kinds, found = {'F32': np.float32, 'I8': np.int8}, {}
    for name, of in header.items():
        begin, end = of['data_offsets']
        found[name] = np.frombuffer(numbers[begin:end], kinds[of['dtype']]).reshape(of['shape'])
    plain = {name: tensor for name, tensor in found.items() if not name.endswith('.scale')}
    factors = lambda name: found[f'{name}.scale'].reshape(-1, 1)
    return {name: tensor if tensor.dtype == np.float32 else tensor * factors(name) for name, tensor in plain.items()}


def gelu(x):
    """x times the share of a normal distribution below it, in place; numpy has no error function, so by Abramowitz and
    Stegun 7.1.26, wrong by at most 1.5e-7."""
    size = np.abs(x)
    size *= np.float32(np.sqrt(0.5))
    t = size * np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    series = t * np.float32(1.061405429)
    for part in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += np.float32(part)
        series *= t
    size *= size
    np.negative(size, out=size)
    series *= np.exp(size, out=size)
    np.subtract(1, series, out=series)
    x *= 0.5
    series *= np.abs(x)
    x += series
    return x


class Model:
    def __init__(self, assets=ASSETS):
        self.vocabulary = Vocabulary(assets / 'vocabulary.txt')
        self.tensors = tensors(assets / 'minilm-l6-v2.int8.safetensors')

    def embed(self, texts, told=lambda done: None):
        """A vector of length 1 for each text, as rows."""
        ids = [self.vocabulary.tokens(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda at: len(ids[at]))
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        at = 0
        while at < len(order):
            # As many as fit if all were as long as the last of them.
            size = max(1, PASS_TOKENS // len(ids[order[at]]))
            while size > 1 and size * len(ids[order[min(at + size, len(order)) - 1]]) > PASS_TOKENS:
                size -= 1
            group = order[at:at + size]
            vectors[group] = self.forward([ids[one] for one in group])
            at += size
            told(at)
        return vectors

    def forward(self, texts):
        longest = max(map(len, texts))
        there = np.array([[1.0] * len(text) + [0.0] * (longest - len(text)) for text in texts], np.float32)
        ids = np.array([text + [0] * (longest - len(text)) for text in texts])
        of = lambda name: self.tensors[f'embeddings.{name}_embeddings.weight']
        x = self.norm('embeddings', of('word')[ids] + of('position')[:longest] + of('token_type')[0])
        hidden = ((1 - there) * -1e9)[:, None, None, :]
        for layer in range(LAYERS):
            x = self.layer(f'encoder.layer.{layer}', x, hidden)
        sums = (x * there[:, :, None]).sum(axis=1)
        return sums / np.linalg.norm(sums, axis=1, keepdims=True)

    def layer(self, name, x, hidden):
        count, longest, _ = x.shape
        heads = lambda part: self.linear(f'{name}.attention.self.{part}', x).reshape(
            count, longest, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)
        query, key, value = map(heads, ('query', 'key', 'value'))
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(np.sqrt(WIDTH // HEADS)) + hidden
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = (shares @ value).transpose(0, 2, 1, 3).reshape(count, longest, WIDTH)
        x = self.norm(f'{name}.attention.output', x + self.linear(f'{name}.attention.output.dense', mixed))
        inner = self.linear(f'{name}.intermediate.dense', x)
        return self.norm(f'{name}.output', x + self.linear(f'{name}.output.dense', gelu(inner)))

    def linear(self, name, x):
        return x @ self.tensors[f'{name}.weight'].T + self.tensors[f'{name}.bias']

    def norm(self, name, x):
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=-1, keepdims=True) + NORM_EPSILON)
        return x * self.tensors[f'{name}.LayerNorm.weight'] + self.tensors[f'{name}.LayerNorm.bias']


def main():
    golden = json.loads((ASSETS / 'minilm-golden.json').read_text())
    model, cases = Model(), golden['cases']
    same = sum(model.vocabulary.tokens(case['text']) == case['ids'] for case in cases)
    vectors = model.embed([case['text'] for case in cases])
    cosines = next(value for name, value in golden.items() if name.startswith('cos'))
    off = np.abs(vectors @ vectors.T - np.array(cosines)).max()
    print(f'token ids equal: {same} of {len(cases)}; worst of the cosines off by {off:.5f}')
    # The product's own are off by 0.0056 (docs/benchmarks.md, "The built-in embedding").
    sys.exit(0 if same == len(cases) and off < 0.006 else 1)


if __name__ == '__main__':
    main()
