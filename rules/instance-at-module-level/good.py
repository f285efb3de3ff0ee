"""The BatchNorm is built in __init__; an activation at module level does no harm."""

import torch
from torch import nn

ACT = nn.ReLU()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.norm = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        return ACT(self.fc2(ACT(self.norm(self.fc1(x)))))
