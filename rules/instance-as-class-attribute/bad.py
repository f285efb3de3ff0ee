"""The BatchNorm is an attribute of the class: all models write its statistics, and none registers it."""

import torch
from torch import nn


class Net(nn.Module):
    norm = nn.BatchNorm1d(16)  # expect: ML302

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        return self.fc2(torch.relu(self.norm(self.fc1(x))))
