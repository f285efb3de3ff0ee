"""One projection is passed to both blocks, which then learn a single one."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, projection):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projection = projection

    def forward(self, x):
        return x + torch.tanh(self.projection(self.norm(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        projection = nn.Linear(16, 16)
        self.block1 = Block(16, projection)
        self.block2 = Block(16, projection)  # expect: ML202
        self.fc = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 16)

    def forward(self, x):
        return self.fc(self.block2(self.block1(x)))
