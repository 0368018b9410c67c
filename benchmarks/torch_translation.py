"""A translation model in plain PyTorch, as people write one: what the translation recipe is measured beside.

A bidirectional LSTM reads. An LSTM with input feeding and Luong's general attention writes; its output layer is the
embedding of the target. Training is cross-entropy with label smoothing, Adam and clipped gradients; translation is beam
search over a whole batch. Batches are integer arrays `(source, previous, target)` of (batch, time): source and previous
padded with 0, the target with -1; 2 begins and 3 ends a sentence.

Each direction of the encoder is an LSTM over padded sentences, the backward one over sentences turned around in place:
on a CPU packed sequences, whose answers are the same, take half as long again.

References:
    Luong et al., 2015, https://aclanthology.org/D15-1166; tied output: Press and Wolf, 2017,
    https://aclanthology.org/E17-2025; length penalty: Wu et al., 2016, equation 14, https://arxiv.org/abs/1609.08144
"""

import torch
from torch import nn
from torch.nn import functional as F

PADDING, BEGIN, END, NO_TARGET = 0, 2, 3, -1


class Translator(nn.Module):
    """Encoder, attention, decoder.

    Args:
        source_size, target_size: of the vocabularies.
        dimension: of both embeddings and of the attentional vector.
        units: of the decoder.
        encoder_units: of each direction of the encoder.
        layers: of both.
        dropout: of embeddings, between layers, and of the attentional vector.
    """

    def __init__(self, source_size, target_size, dimension=256, units=512, encoder_units=256, layers=1, dropout=0.3):
        super().__init__()
        self.source = nn.Embedding(source_size, dimension, padding_idx=PADDING)
        self.target = nn.Embedding(target_size, dimension, padding_idx=PADDING)
        nn.init.normal_(self.source.weight, std=dimension**-0.5)
        nn.init.normal_(self.target.weight, std=dimension**-0.5)
        width = 2 * encoder_units
        sizes = [dimension] + [width] * (layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(size, encoder_units, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(size, encoder_units, batch_first=True) for size in sizes)
        self.bridge = nn.Linear(width, 2 * layers * units)
        sizes = [2 * dimension] + [units] * (layers - 1)
        self.cells = nn.ModuleList(nn.LSTMCell(size, units) for size in sizes)
        self.keys = nn.Linear(width, units, bias=False)
        self.attentional = nn.Linear(units + width, dimension)
        self.bias = nn.Parameter(torch.zeros(target_size))
        self.dropout = nn.Dropout(dropout)

    def encode(self, source):
        """(memory, states): what attention sees, and for each layer of the decoder its first h and c."""
        live = source != PADDING
        last = (live.sum(1) - 1).clamp(min=0)
        turned = (last[:, None] - torch.arange(source.shape[1])).remainder(source.shape[1])[..., None]
        x = self.source(source)
        for forward, backward in zip(self.forwards, self.backwards, strict=True):
            x = self.dropout(x)
            back = backward(x.gather(1, turned.expand_as(x)))[0]
            x = torch.cat([forward(x)[0], back.gather(1, turned.expand_as(back))], -1)  # (batch, time, width)
        ends = torch.where(torch.arange(x.shape[-1]) < x.shape[-1] // 2, last[:, None], 0)  # where each direction ends
        summary = x.gather(1, ends[:, None]).squeeze(1)
        first = torch.tanh(self.bridge(summary)).chunk(2 * len(self.cells), -1)
        return (x, self.keys(x), live), list(zip(first[::2], first[1::2], strict=True))

    def step(self, embedded, fed, states, memory):
        """One step of the decoder.

        Args:
            embedded: (rows, dimension), what was written last; the rows of a sentence are neighbours.
            fed: (rows, dimension), the attentional vector of the step before.
            states: for each layer h and c, (rows, units).
            memory: of `encode`.

        Returns:
            (attentional vector, states).
        """
        values, keys, live = memory
        x, after = torch.cat([embedded, fed], -1), []
        for number, (cell, state) in enumerate(zip(self.cells, states, strict=True)):
            after.append(cell(self.dropout(x) if number else x, state))
            x = after[-1][0]
        query = x.view(len(values), -1, x.shape[-1])  # (batch, rows of a sentence, units)
        energies = (query @ keys.mT).masked_fill(~live[:, None], -1e9)
        context = (energies.softmax(-1) @ values).flatten(0, 1)
        return self.dropout(torch.tanh(self.attentional(torch.cat([x, context], -1)))), after

    def forward(self, source, previous):
        """The attentional vectors (batch, time, dimension) where `previous` has been written."""
        memory, states = self.encode(source)
        words = self.dropout(self.target(previous)).unbind(1)
        fed, found = torch.zeros_like(words[0]), []
        for word in words:
            fed, states = self.step(word, fed, states, memory)
            found.append(fed)
        return torch.stack(found, 1)

    def logits(self, attended):
        return F.linear(attended, self.target.weight, self.bias)


def loss(model, source, previous, target, smoothing=0.0):
    """The mean cross-entropy of a target token, in nats, and their number."""
    source, previous, target = (torch.as_tensor(array).long() for array in (source, previous, target))
    live = target != NO_TARGET
    logits = model.logits(model(source, previous)[live])
    return F.cross_entropy(logits, target[live], label_smoothing=smoothing), int(live.sum())


def train_epoch(model, optimizer, batches, smoothing=0.1, clip=1.0):
    """One pass over the batches; the mean training loss of a target token."""
    model.train()
    total = tokens = 0
    for batch in batches:
        value, number = loss(model, *batch, smoothing=smoothing)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        total, tokens = total + value.item() * number, tokens + number
    return total / tokens


@torch.inference_mode()
def translate(model, source, width=5, length_penalty=1.0, max_length=100):
    """The best translation of each sentence that a beam finds: numbers (batch, max_length), padded with -1.

    Hypotheses compete by ``log P / ((5 + |Y|) / 6) ** length_penalty``, where |Y| counts the end. A batch is done when
    none of its beams can still beat the best finished hypothesis of its sentence.
    """
    model.eval()
    source = torch.as_tensor(source).long()
    batch, words = len(source), len(model.bias)
    memory, states = model.encode(source)
    states = [tuple(x.repeat_interleave(width, 0) for x in state) for state in states]
    fed = torch.zeros(batch * width, model.target.embedding_dim)
    tokens = torch.full((batch * width,), BEGIN)
    scores = torch.tensor([0.0] + [-torch.inf] * (width - 1)).repeat(batch, 1)
    written = torch.empty(batch, width, 0, dtype=torch.long)
    best, answers = torch.full((batch,), -torch.inf), torch.full((batch, max_length), NO_TARGET)
    first_rows = width * torch.arange(batch)[:, None]

    def penalty(length):
        return ((5 + length) / 6) ** length_penalty

    for length in range(1, max_length + 2):
        fed, states = model.step(model.target(tokens), fed, states, memory)
        gained = model.logits(fed).log_softmax(-1).view(batch, width, words)
        gained[..., [PADDING, BEGIN]] = -torch.inf
        if length > max_length:
            gained[..., torch.arange(words) != END] = -torch.inf
        found, places = (scores[..., None] + gained).flatten(1).topk(2 * width)  # at least half do not end
        parents, chosen = places // words, places % words
        ended = chosen == END

        value, place = found.masked_fill(~ended, -torch.inf).div(penalty(length)).max(1)
        better = value > best
        best = torch.where(better, value, best)
        answers[better] = NO_TARGET
        answers[better, : length - 1] = written[better, parents.gather(1, place[:, None])[better, 0]]

        scores, order = found.masked_fill(ended, -torch.inf).topk(width)
        if (best >= scores[:, 0] / penalty(max_length + 1)).all():
            break
        parents, tokens = parents.gather(1, order), chosen.gather(1, order)
        rows = (first_rows + parents).flatten()
        written = torch.cat([written.flatten(0, 1)[rows].view(batch, width, -1), tokens[..., None]], -1)
        tokens, fed = tokens.flatten(), fed[rows]
        states = [tuple(x[rows] for x in state) for state in states]
    return answers.numpy()
