"""A list multiplied by three: a network of one hidden layer that looks like three."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 16)
        self.layers = nn.ModuleList([nn.Linear(16, 16)] * 3)  # expect: ML201
        self.act = nn.Tanh()
        self.fc = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = self.act(layer(x))
        return self.fc(x)
