"""A hook calls the activation again: the source of forward has one use of it, a run has two."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.fc2 = nn.Linear(16, 4)
        self.act = nn.ReLU()
        hooks = {"fc1": lambda module, inputs, output: self.act(output)}
        for name, module in self.named_children():
            if name in hooks:
                module.register_forward_hook(hooks[name])
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        return self.act(self.fc2(self.fc1(x)))
