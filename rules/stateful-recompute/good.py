"""The BatchNorm stands behind the checkpointed part; what is run again keeps nothing."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
        self.bn = nn.BatchNorm2d(8)
        self.act = nn.ReLU()
        self.fc = nn.Linear(8, 4)
        self.example_input_array = torch.randn(4, 3, 16, 16)

    def forward(self, x):
        x = self.act(self.stem(x))
        x = checkpoint(self.block, x, use_reentrant=False)
        x = self.act(self.bn(x))
        return self.fc(x.mean(dim=(2, 3)))
