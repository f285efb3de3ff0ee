"""Each block is given a projection of its own; the activation may stay shared."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, projection, act):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projection = projection
        self.act = act

    def forward(self, x):
        return x + self.act(self.projection(self.norm(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        act = nn.Tanh()
        self.block1 = Block(16, nn.Linear(16, 16), act)
        self.block2 = Block(16, nn.Linear(16, 16), act)
        self.fc = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 16)

    def forward(self, x):
        return self.fc(self.block2(self.block1(x)))
