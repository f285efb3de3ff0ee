"""Each block has a ReLU of its own: it computes what the model with one ReLU computes."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = self.conv_block(3, 8)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = self.conv_block(8, 4)
        self.example_input_array = torch.randn(4, 3, 16, 16)

    def conv_block(self, channels_in, channels_out):
        return nn.Sequential(
            nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        x = self.pool(self.conv1(x))
        return self.conv2(x)
