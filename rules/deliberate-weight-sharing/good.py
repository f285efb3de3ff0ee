"""Two encoders: the same architecture with twice the parameters."""

import torch
from torch import nn


class TwoTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.left_encoder = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8))
        self.right_encoder = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8))
        self.example_input_array = (torch.randn(8, 16), torch.randn(8, 16))

    def forward(self, left, right):
        a = self.left_encoder(left)
        b = self.right_encoder(right)
        return (a - b).pow(2).sum(dim=1)
