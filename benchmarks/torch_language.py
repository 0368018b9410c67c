"""A language model in plain PyTorch, as people write one: what the language recipe is measured beside.

Embedding, LSTM (or GRU, or a plain tanh layer), linear output; the output layer is the embedding where both have the
same width. Training is truncated backpropagation through time with the state carried from segment to segment, AdamW
and clipped gradients, under a schedule by the clock. Texts are one-dimensional integer arrays of token numbers; 2
stands before the first token.

    python -m benchmarks.torch_language --seconds 60 --train FILE --valid FILE --test FILE --cell lstm

References:
    truncated backpropagation: Mikolov et al., 2010, https://doi.org/10.21437/Interspeech.2010-343; dropout: Zaremba et
    al., 2014, https://arxiv.org/abs/1409.2329; tied output: Press and Wolf, 2017, https://aclanthology.org/E17-2025
"""

import argparse
import json
import math
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

UNKNOWN, BEGIN, FIRST, NO_TARGET = 1, 2, 4, -1  # FIRST: the number of the most frequent character
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class LanguageModel(nn.Module):
    """Embedding, recurrent layers, output.

    Args:
        tokens: how many there are.
        dimension: of the embedding.
        units: of each layer; if equal to `dimension`, the output layer shares its weights with the embedding.
        layers: number of recurrent layers.
        dropout: of the embedding, between layers, and before the output.
        cell: `lstm`, `gru` or `rnn`.
    """

    def __init__(self, tokens, dimension=128, units=512, layers=1, dropout=0.0, cell="lstm"):
        super().__init__()
        self.embedding = nn.Embedding(tokens, dimension)
        self.recurrent = CELLS[cell](dimension, units, layers, dropout=dropout if layers > 1 else 0.0)
        self.output = nn.Linear(units, tokens)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.output.bias)
        if dimension == units:
            nn.init.normal_(self.embedding.weight, std=dimension**-0.5)
            self.output.weight = self.embedding.weight

    def forward(self, tokens, state=None):
        """(logits, state) after `tokens` (time, batch): (time, batch, tokens), and what the next call begins with."""
        outputs, state = self.recurrent(self.dropout(self.embedding(tokens)), state)
        return self.output(self.dropout(outputs)), state


def shifted(stream):
    """The token before each token."""
    return np.concatenate([[BEGIN], stream[:-1]])


def lanes(stream, batch, length, offset=0):
    """One pass over a stream in segments, of lanes that go through it side by side and wrap round at its end.

    Args:
        stream: int (N,).
        batch: number of lanes; lane i begins at ``offset + i * N // batch``.
        length: of a segment.
        offset: where the first lane begins.

    Yields:
        (inputs, targets), int64 (batch, length), ``ceil(N / (batch * length))`` times; an input is the token before
        its target in the stream.

    Example:
        >>> for inputs, targets in lanes(np.arange(10, 15), batch=2, length=2, offset=1):
        ...     print(inputs.tolist(), targets.tolist())
        [[10, 11], [12, 13]] [[11, 12], [13, 14]]
        [[12, 13], [2, 10]] [[13, 14], [10, 11]]
    """
    previous, size = shifted(stream), len(stream)
    starts = offset + np.arange(batch) * size // batch
    for step in range(math.ceil(size / (batch * length))):
        places = (starts[:, None] + np.arange(step * length, (step + 1) * length)) % size
        yield previous[places].astype("int64"), stream[places].astype("int64")


def schedule(progress):
    """The part of the learning rate at `progress` from 0 to 1: a linear rise over 5 %, then half a cosine down to 0."""
    if progress < 0.05:
        return progress / 0.05
    return (1 + math.cos(math.pi * (min(progress, 1) - 0.05) / 0.95)) / 2


def detached(state):
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


class Training:
    """Training that can be stopped and continued; its clock runs in `train_for` alone.

    Each pass over the stream begins at a random offset, with a state of zeros.

    Args:
        model: `LanguageModel`, trained in place.
        stream: int (N,).
        seconds: of the whole schedule.
        learning_rate: its peak.
        batch, length: of a segment.
        clip_norm: what the norm of all gradients is clipped to.
        weight_decay: of AdamW.
        average: decay of the moving average of the weights, or None for none.
        seed: of the offsets.

    Attributes:
        answering: the model with averaged weights, or `model` itself where there is no average.
        seconds, characters: trained so far.
    """

    def __init__(
        self,
        model,
        stream,
        *,
        seconds,
        learning_rate,
        batch=32,
        length=64,
        clip_norm=1.0,
        weight_decay=0.01,
        average=None,
        seed=0,
    ):
        self.model, self.planned, self.learning_rate, self.clip_norm = model, seconds, learning_rate, clip_norm
        decay = {"weight_decay": weight_decay, "eps": 1e-7, "fused": True}
        self.optimizer = torch.optim.AdamW(model.parameters(), learning_rate, **decay)
        self.averaged = average and AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(average))
        self.answering = self.averaged.module if self.averaged else model
        self.seconds, self.characters = 0.0, 0
        self.losses = self._losses(stream, batch, length, np.random.default_rng(seed))

    def _losses(self, stream, batch, length, random):
        """Makes a step each time it is asked for the loss of the next one."""
        while True:
            state = None
            for inputs, targets in lanes(stream, batch, length, random.integers(len(stream))):
                logits, state = self.model(torch.from_numpy(inputs).T, state)
                state = detached(state)
                value = F.cross_entropy(logits.flatten(0, 1), torch.from_numpy(targets).T.flatten())
                self.optimizer.zero_grad()
                value.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
                self.optimizer.step()
                if self.averaged:
                    self.averaged.update_parameters(self.model)
                self.characters += targets.size
                yield value.item()

    def train_for(self, seconds):
        """Train for so long, to the end of a step.

        Returns:
            (seconds, characters, loss): trained since the beginning, and the mean loss of this call's steps in nats.
        """
        self.model.train()
        before, begun, losses = self.seconds, time.perf_counter(), []
        while self.seconds < before + seconds:
            self.optimizer.param_groups[0]["lr"] = self.learning_rate * schedule(self.seconds / self.planned)
            losses.append(next(self.losses))
            self.seconds = before + time.perf_counter() - begun
        return self.seconds, self.characters, float(np.mean(losses))


@torch.inference_mode()
def evaluate(model, stream, lanes, length=256):
    """The exact mean cross-entropy of a token, in nats.

    Args:
        stream: int (N,), of which each token counts once.
        lanes: how many parts it is cut into, each read from a state of zeros.
        length: how many steps are read at a time; the answer does not depend on it.
    """
    model.eval()
    cuts = np.arange(lanes + 1) * len(stream) // lanes
    places = cuts[:-1] + np.arange(np.diff(cuts).max())[:, None]  # (time, lanes)
    live, places = places < cuts[1:], np.minimum(places, len(stream) - 1)
    inputs = torch.from_numpy(shifted(stream)[places].astype("int64"))
    targets = torch.from_numpy(np.where(live, stream[places], NO_TARGET).astype("int64"))
    total, state = 0.0, None
    for segment, target in zip(inputs.split(length), targets.split(length), strict=True):
        logits, state = model(segment, state)
        losses = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=NO_TARGET, reduction="none")
        total += losses.sum(dtype=torch.float64).item()
    return total / len(stream)


@torch.inference_mode()
def generate(model, begin, length, temperature=1.0, batch=1, seed=0):
    """Tokens drawn from the model one after the other, each row beginning with `begin`: int64 (batch, length)."""
    model.eval()
    random = torch.Generator().manual_seed(seed)
    token, state, drawn = torch.full((batch,), begin), None, []
    for _ in range(length):
        logits, state = model(token[None], state)
        token = torch.multinomial(F.softmax(logits[0] / temperature, -1), 1, generator=random)[:, 0]
        drawn.append(token)
    return torch.stack(drawn, 1).numpy()


def speed(model, stream, *, warmup=5, rounds=5, steps=20, **options):
    """Characters per second of training, one figure for each round of so many steps.

    The learning rate stays 0, so that the model remains what it was; `options` are those of `Training`.
    """
    training = Training(model, stream, seconds=math.inf, learning_rate=0.0, **options)
    model.train()
    for _ in range(warmup):
        next(training.losses)
    found = []
    for _ in range(rounds):
        before, begun = training.characters, time.perf_counter()
        for _ in range(steps):
            next(training.losses)
        found.append((training.characters - before) / (time.perf_counter() - begun))
    return found


def read(train, *others):
    """Files as streams of characters, numbered by their frequency in the first one; and how many numbers there are."""
    texts = [Path(path).read_bytes().decode() for path in (train, *others)]
    numbers = {character: FIRST + i for i, (character, _) in enumerate(Counter(texts[0]).most_common())}
    return [np.array([numbers.get(c, UNKNOWN) for c in text]) for text in texts], FIRST + len(numbers)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "valid", "test"):
        parser.add_argument(f"--{name}", required=True, help="file of UTF-8 text")
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--validate-every", type=float, default=10, help="seconds of training")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--average", type=float, help="decay of the moving average of the weights")
    parser.add_argument("--lanes", type=int, default=32, help="of validation and test")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()

    torch.set_num_threads(told.threads)
    torch.manual_seed(told.seed)
    (train, valid, test), tokens = read(told.train, told.valid, told.test)
    model = LanguageModel(tokens, told.dimension, told.units, told.layers, told.dropout, told.cell)
    options = {name: getattr(told, name) for name in ("seconds", "learning_rate", "batch", "length", "average", "seed")}
    training, history = Training(model, train, **options), []
    while training.seconds < told.seconds:
        seconds, characters, loss = training.train_for(min(told.validate_every, told.seconds - training.seconds))
        bits = {"train": loss / math.log(2), "valid": evaluate(training.answering, valid, told.lanes) / math.log(2)}
        history.append({"seconds": seconds, "characters": characters, "bits_per_character": bits})
    result = {
        "told": vars(told),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "history": history,
        "bits_per_character": bits | {"test": evaluate(training.answering, test, told.lanes) / math.log(2)},
        "characters_per_second": training.characters / training.seconds,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
