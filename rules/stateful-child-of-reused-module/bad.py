"""A discriminator with BatchNorm runs on real and on fake images, one after the other."""

import torch
from torch import nn


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 1)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        return self.fc(x.mean(dim=(2, 3)))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.discriminator = Discriminator()
        self.example_input_array = (torch.randn(4, 3, 16, 16), torch.rand(4, 3, 16, 16))

    def forward(self, real, fake):
        on_real = self.discriminator(real)
        on_fake = self.discriminator(fake)  # expect: ML102
        return on_real - on_fake
