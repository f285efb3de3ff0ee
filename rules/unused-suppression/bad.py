"""The norms were separated long ago; the comment that silenced the finding stayed, and so did an intent mark."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.norm1 = nn.BatchNorm1d(16)
        self.fc2 = nn.Linear(16, 16)  # modlint: shared -- one set of weights for both steps  # expect: ML903
        self.norm2 = nn.BatchNorm1d(16)
        self.fc3 = nn.Linear(16, 4)
        self.example_input_array = torch.randn(8, 8)

    def forward(self, x):
        x = torch.relu(self.norm1(self.fc1(x)))
        x = torch.relu(self.norm2(self.fc2(x)))  # modlint: ignore[ML101] -- to be mended  # expect: ML903
        return self.fc3(x)
