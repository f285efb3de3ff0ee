"""One BatchNorm serves two convolutions, so its running statistics are those of neither."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.act = nn.ReLU()
        self.fc = nn.Linear(8, 4)
        self.example_input_array = torch.randn(4, 3, 16, 16)

    def forward(self, x):
        x = self.act(self.bn(self.conv1(x)))
        x = self.act(self.bn(self.conv2(x)))  # expect: ML101
        return self.fc(x.mean(dim=(2, 3)))
