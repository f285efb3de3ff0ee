"""The discriminator runs once, on real and fake images in one batch; its activation may be shared."""

import torch
from torch import nn


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.hidden = nn.Linear(8, 8)
        self.act = nn.LeakyReLU(0.2)
        self.fc = nn.Linear(8, 1)

    def forward(self, x):
        x = self.act(self.bn(self.conv(x)))
        x = self.act(self.hidden(x.mean(dim=(2, 3))))
        return self.fc(x)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.discriminator = Discriminator()
        self.example_input_array = (torch.randn(4, 3, 16, 16), torch.rand(4, 3, 16, 16))

    def forward(self, real, fake):
        on_both = self.discriminator(torch.cat([real, fake]))
        on_real, on_fake = on_both.chunk(2)
        return on_real - on_fake
