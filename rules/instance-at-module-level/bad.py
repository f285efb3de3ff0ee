"""The BatchNorm is built when the file is imported: every model registers, trains and saves this one."""

import torch
from torch import nn

NORM = nn.BatchNorm1d(16)  # expect: ML303


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.norm = NORM
        self.fc2 = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        return self.fc2(torch.relu(self.norm(self.fc1(x))))
