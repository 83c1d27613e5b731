"""Records what the tabular networks give when they are written in Python PyTorch, after their papers and with the same
parameter names, for the unit tests of src/nn.

Run: .deps/venv/bin/python tests/reference/record_nets.py   (writes nets.json beside this file)
"""

import json
import math
import pathlib

import torch
from torch import nn

NUMERIC, IDS, ROWS, OUTPUTS = 3, [5, 4], 6, 1


def pattern(*shape):
    """Values that any language can make again: sin(0.7 i + 0.3) / 2 over the elements."""
    count = math.prod(shape)
    return (torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + 0.3) / 2).float().reshape(shape)


def embeddings(width):
    return nn.ModuleList(nn.Embedding(count, width) for count in IDS)


def embed(tables, ids):
    return [table(ids[:, i]) for i, table in enumerate(tables)]


def layers(width, hidden, outputs):
    parts = []
    for size in hidden:
        parts += [nn.Linear(width, size), nn.ReLU()]
        width = size
    return nn.Sequential(*parts, *([nn.Linear(width, outputs)] if outputs else []))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = embeddings(4)
        self.layers = layers(NUMERIC + 8, [6, 4], OUTPUTS)

    def forward(self, numbers, ids):
        return self.layers(torch.cat([numbers, *embed(self.embeddings, ids)], 1))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = embeddings(4)
        self.first = nn.Linear(NUMERIC + 8, 6)
        self.blocks = nn.ModuleList(nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 12), nn.ReLU(), nn.Dropout(0), nn.Linear(12, 6),
                                                  nn.Dropout(0)) for _ in range(2))
        self.norm, self.head = nn.BatchNorm1d(6), nn.Linear(6, OUTPUTS)

    def forward(self, numbers, ids):
        x = self.first(torch.cat([numbers, *embed(self.embeddings, ids)], 1))
        for block in self.blocks:
            x = x + block(x)
        return self.head(torch.relu(self.norm(x)))


class Dcn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = embeddings(4)
        width = NUMERIC + 8
        self.cross = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.deep = layers(width, [6, 4], 0)
        self.head = nn.Linear(width + 4, OUTPUTS)

    def forward(self, numbers, ids):
        x0 = x = torch.cat([numbers, *embed(self.embeddings, ids)], 1)
        for layer in self.cross:
            x = x0 * layer(x) + x
        return self.head(torch.cat([x, self.deep(x0)], 1))


class Dlrm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = embeddings(4)
        self.bottom = layers(NUMERIC, [16, 4], 0)
        self.top = layers(4 + 3, [6, 4], OUTPUTS)

    def forward(self, numbers, ids):
        dense = self.bottom(numbers)
        vectors = torch.stack([dense, *embed(self.embeddings, ids)], 1)
        products = vectors @ vectors.transpose(1, 2)
        rows, columns = torch.tril_indices(3, 3, -1)
        return self.top(torch.cat([dense, products[:, rows, columns]], 1))


class DeepFm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings, self.weights = embeddings(4), embeddings(1)
        self.linear = nn.Linear(NUMERIC, 1)
        self.number_vectors = nn.Parameter(torch.empty(NUMERIC, 4))
        self.deep = layers((NUMERIC + 2) * 4, [6, 4], 1)

    def forward(self, numbers, ids):
        vectors = torch.cat([numbers.unsqueeze(2) * self.number_vectors, torch.stack(embed(self.embeddings, ids), 1)], 1)
        machine = sum((vectors[:, i] * vectors[:, j]).sum(1, keepdim=True) for i in range(5) for j in range(i))
        return self.linear(numbers) + sum(embed(self.weights, ids)) + machine + self.deep(vectors.flatten(1))


class Block(nn.Module):
    def __init__(self, width, heads, first):
        super().__init__()
        self.heads = heads
        self.attention_norm = None if first else nn.LayerNorm(width)
        self.attention_in, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        inner = width * 4 // 3
        self.norm, self.inner_in, self.inner_out = nn.LayerNorm(width), nn.Linear(width, 2 * inner), nn.Linear(inner, width)

    def attended(self, x):
        rows, tokens, width = x.shape
        q, k, v = (part.view(rows, tokens, self.heads, -1).transpose(1, 2) for part in self.attention_in(x).chunk(3, -1))
        weights = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width / self.heads), -1)
        return self.attention_out((weights @ v).transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attended(self.attention_norm(x) if self.attention_norm else x)
        value, gate = self.inner_in(self.norm(x)).chunk(2, -1)
        return x + self.inner_out(value * torch.relu(gate))


class FtTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.number_weight, self.number_bias = nn.Parameter(torch.empty(NUMERIC, 8)), nn.Parameter(torch.empty(NUMERIC, 8))
        self.category_bias, self.whole = nn.Parameter(torch.empty(2, 8)), nn.Parameter(torch.empty(8))
        self.embeddings = embeddings(8)
        self.blocks = nn.ModuleList(Block(8, 2, i == 0) for i in range(2))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, OUTPUTS)

    def forward(self, numbers, ids):
        x = torch.cat([self.whole.expand(len(ids), 1, 8), numbers.unsqueeze(2) * self.number_weight + self.number_bias,
                       torch.stack(embed(self.embeddings, ids), 1) + self.category_bias], 1)
        for block in self.blocks:
            x = block(x)
        return self.head(torch.relu(self.norm(x[:, 0])))


class BatchEnsembleLinear(nn.Module):
    def __init__(self, members, inputs, outputs):
        super().__init__()
        self.weight, self.r = nn.Parameter(torch.empty(outputs, inputs)), nn.Parameter(torch.empty(members, inputs))
        self.s, self.bias = nn.Parameter(torch.empty(members, outputs)), nn.Parameter(torch.empty(members, outputs))

    def forward(self, x):
        return (x * self.r) @ self.weight.T * self.s + self.bias


class EnsembleLinear(nn.Module):
    def __init__(self, members, inputs, outputs):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(members, inputs, outputs)), nn.Parameter(torch.empty(members, outputs))

    def forward(self, x):
        return torch.einsum("bki,kio->bko", x, self.weight) + self.bias


class TabM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = embeddings(4)
        self.blocks = nn.ModuleList([BatchEnsembleLinear(3, NUMERIC + 8, 6), BatchEnsembleLinear(3, 6, 4)])
        self.output = EnsembleLinear(3, 4, OUTPUTS)

    def forward(self, numbers, ids):
        x = torch.cat([numbers, *embed(self.embeddings, ids)], 1).unsqueeze(1).expand(-1, 3, -1)
        for block in self.blocks:
            x = torch.relu(block(x))
        return self.output(x)


class Ncf(nn.Module):
    def __init__(self):
        super().__init__()
        self.factors, self.embeddings = embeddings(4), embeddings(4)
        self.layers = layers(NUMERIC + 8, [6, 4], 0)
        self.head = nn.Linear(4 + 4, OUTPUTS)

    def forward(self, numbers, ids):
        user, item = embed(self.factors, ids)
        return self.head(torch.cat([user * item, self.layers(torch.cat([numbers, *embed(self.embeddings, ids)], 1))], 1))


class Tower(nn.Module):
    def __init__(self, numeric, categorical):
        super().__init__()
        self.numeric, self.categorical = numeric, categorical
        self.embeddings = nn.ModuleList(nn.Embedding(IDS[i], 4) for i in categorical)
        self.layers = layers(len(numeric) + 4 * len(categorical), [6], 4)

    def forward(self, numbers, ids):
        return nn.functional.normalize(self.layers(torch.cat([numbers[:, self.numeric], *embed(self.embeddings, ids[:, self.categorical])], 1)))


class TwoTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.item = Tower([0, 1], [0]), Tower([2], [1])

    def forward(self, numbers, ids):
        return self.query(numbers, ids) @ self.item(numbers, ids).T / 0.05


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = layers(NUMERIC, [6], 4), layers(4, [6], NUMERIC)

    def forward(self, numbers, ids):
        return self.decoder(self.encoder(numbers)) - numbers


# Two sequences per row, of ids and of numbers; the padding is never made here: rows are encoded one by one.
LENGTHS = [[5, 3, 0, 1, 5, 2], [4, 0, 2, 1, 3, 4]]
SEQUENCE_IDS = 6


def sequence_values():
    words = [[(row + 2 * i) % SEQUENCE_IDS for i in range(LENGTHS[0][row])] for row in range(ROWS)]
    numbers = pattern(ROWS, 4)
    return [[torch.tensor(list_, dtype=torch.int64) for list_ in words], [numbers[row, :LENGTHS[1][row]] for row in range(ROWS)]]


class SequenceNet(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.embeddings = embeddings(4)
        self.tokens = nn.ModuleList([nn.Embedding(SEQUENCE_IDS, 4), nn.Linear(1, 4)])
        self.encoders = nn.ModuleList([encoder(5), encoder(4)])
        self.layers = layers(NUMERIC + 8 + 8, [6, 4], OUTPUTS)

    def forward(self, numbers, ids):
        words, values = sequence_values()
        parts = [numbers, *embed(self.embeddings, ids)]
        for tokens, encoder in zip([[self.tokens[0](row) for row in words], [self.tokens[1](row.unsqueeze(1)) for row in values]],
                                   self.encoders):
            parts.append(torch.stack([encoder(row.unsqueeze(0))[0] if len(row) else torch.zeros(4) for row in tokens]))
        return self.layers(torch.cat(parts, 1))


class LstmEncoder(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.lstm = nn.LSTM(4, 4, batch_first=True)

    def forward(self, tokens):
        return self.lstm(tokens)[1][0][0]


class TcnEncoder(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.first, self.second = (nn.ModuleList(nn.utils.weight_norm(nn.Conv1d(4, 4, 3, padding=2 * d, dilation=d)) for d in (1, 2))
                                   for _ in range(2))

    def forward(self, tokens):
        x, length = tokens.transpose(1, 2), tokens.shape[1]
        for first, second in zip(self.first, self.second):
            inner = torch.relu(second(torch.relu(first(x)[:, :, :length]))[:, :, :length])
            x = torch.relu(x + inner)
        return x[:, :, -1]


class TransformerEncoder(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.positions = nn.Parameter(torch.empty(length, 4))
        self.blocks = nn.ModuleList(Block(4, 2, False) for _ in range(2))
        self.norm = nn.LayerNorm(4)

    def forward(self, tokens):
        x = tokens + self.positions[:tokens.shape[1]].flip(0)
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean(1)


def recorded(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(pattern(*parameter.shape))
    ids = torch.tensor([[i % 5, i % 4] for i in range(ROWS)])
    logits = net(pattern(ROWS, NUMERIC), ids)
    (logits * pattern(*logits.shape)).sum().backward()
    return {"logits": logits.flatten().tolist(),
            "gradients": {name: (p.grad if p.grad is not None else torch.zeros_like(p)).flatten().tolist()
                          for name, p in net.named_parameters()}}


if __name__ == "__main__":
    torch.set_num_threads(1)
    nets = {"mlp": Mlp, "resnet": ResNet, "dcn": Dcn, "dlrm": Dlrm, "deepfm": DeepFm, "ft_transformer": FtTransformer, "tabm": TabM,
            "ncf": Ncf, "lstm": lambda: SequenceNet(LstmEncoder), "tcn": lambda: SequenceNet(TcnEncoder),
            "transformer": lambda: SequenceNet(TransformerEncoder), "two_tower": TwoTower,
            "autoencoder": Autoencoder}
    path = pathlib.Path(__file__).with_name("nets.json")
    path.write_text(json.dumps({"torch": torch.__version__, "nets": {name: recorded(net()) for name, net in nets.items()}}) + "\n")
