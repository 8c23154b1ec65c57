#!/usr/bin/env python3
"""One epoch of the default job as a plain PyTorch script: lenet5 on Fashion-MNIST, batches of 256, then the test set.

    python3 Benchmarks/pytorch-first-epoch.py --data-dir /usr/share/datasets/fashion-mnist

All images are read into memory at once, and normalised there; PyTorch has as many threads as it likes.
"""

import argparse
import gzip
import math
import pathlib
import sys

import numpy
import torch
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests" / "References"))
import reference_models  # noqa: E402

MEAN, DEVIATION = 0.2860, 0.3530


def read(path, header):
    """The bytes of an IDX file behind its header."""
    with gzip.open(path) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def load(directory, name):
    images = read(directory / f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28)
    labels = read(directory / f"{name}-labels-idx1-ubyte.gz", 8)
    images = (torch.from_numpy(images.copy()).float() / 255 - MEAN) / DEVIATION
    return torch.utils.data.TensorDataset(images, torch.from_numpy(labels.astype(numpy.int64)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    options = parser.parse_args()
    torch.manual_seed(42)
    train, test = load(options.data_dir, "train"), load(options.data_dir, "t10k")
    model = reference_models.make_model("lenet5", (1, 28, 28))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9, weight_decay=5e-4)
    loader = torch.utils.data.DataLoader(train, 256, shuffle=True)
    warm_up = len(loader) // 10

    def rate(step):
        if step < warm_up:
            return (step + 1) / warm_up
        return (1 + math.cos(math.pi * (step - warm_up) / (len(loader) - warm_up))) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        correct = sum(
            (model(images).argmax(1) == labels).sum().item() for images, labels in torch.utils.data.DataLoader(test, 1000)
        )
    print(f"test accuracy {100 * correct / len(test):.2f}%")


if __name__ == "__main__":
    main()
