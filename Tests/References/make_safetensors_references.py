"""Writes the safetensors files that TensorFilesTests reads, with PyTorch and the safetensors library.

    python make_safetensors_references.py     (needs torch and safetensors)
"""
import pathlib

import torch
from safetensors.torch import save_file

from tensors_digest import tensors_digest

folder = pathlib.Path(__file__).parent.parent / "TensorFilesTests" / "References"

# A small model as torchvision names things: what `--init` meets in practice.
torch.manual_seed(1)
model = torch.nn.Sequential()
model.add_module("conv1", torch.nn.Conv2d(1, 3, 3, bias=False))
model.add_module("bn1", torch.nn.BatchNorm2d(3))
model.add_module("fc", torch.nn.Linear(5, 2))
save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})

# Every type that converts, with the values that conversions get wrong.
halves = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 2.0**-14, 2.0**-24, -(2.0**-24) * 1023, 1 / 3, float("inf")])
save_file(
    {
        "double": torch.tensor([[0.1, -1e-300], [3e38, 2.0**-149]], dtype=torch.float64),
        "half": halves.to(torch.float16),
        "brain": torch.tensor([0.0, -0.0, 1.0, -2.5, 3e38, 1e-40, 1 / 3, float("-inf")]).to(torch.bfloat16),
        "single": torch.tensor(0.1, dtype=torch.float32),
        "counter": torch.tensor(-7, dtype=torch.int64),
        "mask": torch.tensor([True, False, True]),
        "empty": torch.empty(0, 3),
        "größe \"q\" \\ \n": torch.arange(3, dtype=torch.float32),
    },
    folder / "types.safetensors",
)
save_file({"big": torch.tensor([1.0, 1e39], dtype=torch.float64)}, folder / "beyond-float.safetensors")

# What the writer must reproduce byte for byte.
save_file(
    {
        "b.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 4,
        "a.bias": torch.tensor([-1.0]),
        "steps": torch.tensor(12, dtype=torch.int64),
    },
    folder / "written.safetensors",
    metadata={"format": "pt"},
)
print("digest of written.safetensors:", tensors_digest(folder / "written.safetensors"))
print("digest of model.safetensors:", tensors_digest(folder / "model.safetensors"))
for name, tensor in model.state_dict().items():
    print(name, list(tensor.shape), tensor.flatten()[:2].tolist())
