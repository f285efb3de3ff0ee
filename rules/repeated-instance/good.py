"""A comprehension runs the constructor three times; the activation may stay shared."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 16)
        self.layers = nn.ModuleList([nn.Linear(16, 16) for _ in range(3)])
        self.act = nn.Tanh()
        self.fc = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = self.act(layer(x))
        return self.fc(x)
