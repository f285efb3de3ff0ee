"""A siamese network: one encoder for both inputs, on purpose."""

import torch
from torch import nn


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8))
        self.example_input_array = (torch.randn(8, 16), torch.randn(8, 16))

    def forward(self, left, right):
        a = self.encoder(left)
        b = self.encoder(right)  # expect: ML003
        return (a - b).pow(2).sum(dim=1)
