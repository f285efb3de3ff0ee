"""The PReLU in the default argument is built once: all blocks of all models have this one."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width, act=nn.PReLU()):  # expect: ML301
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.act = act

    def forward(self, x):
        return self.act(self.fc(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = Block(16)
        self.block2 = Block(16)
        self.example_input_array = torch.randn(8, 16)

    def forward(self, x):
        return self.block2(self.block1(x))
