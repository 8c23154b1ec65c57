#!/usr/bin/env python3
"""Trains a model of the project in PyTorch, from given parameters over given batches, and records what comes out.

    swift-dp-train data order --dataset fashion-mnist --batch-size 64 --shards 2 > order.txt
    python3 Tests/References/make-training-references.py --model cnn --init start.safetensors --order order.txt \
      --steps 20 --losses losses.json --output final.safetensors

Each shard's samples run through the network on their own, in training mode, with the sum of their losses divided by
the samples of the global batch; gradients add up over shards. Running statistics of batch normalisation are the
shards', weighted by their samples. Losses are those before each step's update.

`--make-init FILE` writes start parameters (PyTorch's own initialisation) and `--make-cifar10 DIR` writes small random
files in CIFAR-10's binary format; training needs `--order` beside them.
"""

import argparse
import json
import pathlib

import numpy
import torch
import torch.nn.functional as functional

from reference_data import STATISTICS, read_order, read_training_set, write_cifar10
from reference_models import load_tensors, make_model, running_statistics, stored_tensors
from tensor_files import read_safetensors, write_safetensors

MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    if options.make_cifar10:
        write_cifar10(options.make_cifar10, options.seed, options.images_per_file)
    if options.make_init:
        torch.manual_seed(options.seed)
        shape = (len(STATISTICS[options.dataset][0]), *((32, 32) if options.dataset == "cifar10" else (28, 28)))
        write_safetensors(options.make_init, arrays(make_model(options.model, shape)))
    if not options.order:
        return
    init = options.init or options.make_init
    if not init:
        raise SystemExit("--order needs --init FILE or --make-init FILE for the start parameters.")
    images, labels = read_training_set(options.dataset, options.data_dir)
    model = make_model(options.model, images.shape[1:])
    model = model.to(getattr(torch, options.dtype), memory_format=MEMORY_FORMATS[options.memory_format])
    load_tensors(model, read_safetensors(init), init)
    losses = train(model, normalised(images, options), torch.from_numpy(labels), options)
    if options.output:
        write_safetensors(options.output, arrays(model))
    if options.losses:
        record = {
            "torch": torch.__version__.split("+")[0], "model": options.model, "dataset": options.dataset,
            "dtype": options.dtype, "memoryFormat": options.memory_format, "shards": options.shards,
            "learningRate": options.learning_rate, "momentum": options.momentum, "weightDecay": options.weight_decay, "nesterov": options.nesterov,
            "losses": losses,
        }
        pathlib.Path(options.losses).write_text(json.dumps(record, indent=1) + "\n")
    last = len(losses) - 1
    print(f"{options.model} {options.dtype}: loss {losses[0]:.6f} at step 0, {losses[last]:.6f} at step {last}")


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--model", default="cnn", help="a built-in model of the project")
    parser.add_argument("--dataset", default="fashion-mnist", choices=sorted(STATISTICS))
    parser.add_argument("--data-dir", help="directory of the data set's files (default: Debian's Fashion-MNIST)")
    parser.add_argument("--mean", help="channel means, separated by commas (default: the data set's)")
    parser.add_argument("--deviation", help="channel deviations, separated by commas (default: the data set's)")
    parser.add_argument("--init", help="safetensors with the start parameters")
    parser.add_argument("--order", help="text as `swift-dp-train data order` prints it")
    parser.add_argument("--shards", type=int, help="shards that the order must have (default: as many as it has)")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--nesterov", action="store_true")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--memory-format", default="contiguous", choices=sorted(MEMORY_FORMATS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--losses", help="JSON to write: the settings, and the loss of every step")
    parser.add_argument("--output", help="safetensors to write: parameters and running statistics after the last step")
    parser.add_argument("--make-init", help="safetensors to write with start parameters drawn by PyTorch from --seed")
    parser.add_argument("--make-cifar10", help="directory to write random CIFAR-10 binary files to, from --seed")
    parser.add_argument("--images-per-file", type=int, default=200, help="images in each file of --make-cifar10")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.order or options.make_init or options.make_cifar10):
        parser.error("nothing to do: give --order, --make-init or --make-cifar10")
    return options


def normalised(images, options):
    """A function from indices to (x/255 − mean)/deviation, computed in float64 and rounded once to the run's type."""

    def column(text, default):
        values = [float(word) for word in text.split(",")] if text else default
        return numpy.reshape(values, (-1, 1, 1))

    mean, deviation = STATISTICS[options.dataset]
    mean, deviation = column(options.mean, mean), column(options.deviation, deviation)
    dtype, memory_format = getattr(torch, options.dtype), MEMORY_FORMATS[options.memory_format]

    def batch(indices):
        values = torch.from_numpy((images[indices] / 255.0 - mean) / deviation)
        return values.to(dtype, memory_format=memory_format)

    return batch


def train(model, pixels, labels, options):
    """Trains for `options.steps` global batches; returns their losses."""
    batches = read_order(options.order)
    options.shards = options.shards or len(batches[0])
    if len(batches[0]) != options.shards:
        raise SystemExit(f"{options.order} has {len(batches[0])} shards, not the {options.shards} of --shards.")
    if len(batches) < options.steps:
        raise SystemExit(f"{options.order} has {len(batches)} batches, --steps is {options.steps}; print more epochs.")
    optimizer = torch.optim.SGD(
        model.parameters(), options.learning_rate, options.momentum, weight_decay=options.weight_decay,
        nesterov=options.nesterov,
    )
    losses = []
    for batch in batches[: options.steps]:
        optimizer.zero_grad()
        losses.append(accumulate_gradients(model, pixels, labels, batch))
        optimizer.step()
    return losses


def accumulate_gradients(model, pixels, labels, batch):
    """Runs every shard forward and backward; returns the loss of the global batch."""
    count = sum(len(shard) for shard in batch)
    before = {name: buffer.clone() for name, buffer in running_statistics(model).items()}
    combined = {name: torch.zeros_like(buffer) for name, buffer in before.items()}
    total = 0.0
    for shard in filter(None, batch):
        for name, buffer in running_statistics(model).items():
            buffer.copy_(before[name])
        loss = functional.cross_entropy(model(pixels(shard)), labels[shard], reduction="sum")
        (loss / count).backward()
        total += loss.item()
        for name, buffer in running_statistics(model).items():
            combined[name] += buffer * (len(shard) / count)
    for name, buffer in running_statistics(model).items():
        buffer.copy_(combined[name])
    return total / count


def arrays(model):
    """Parameters and running statistics as numpy arrays."""
    return {name: tensor.detach().numpy() for name, tensor in stored_tensors(model).items()}


if __name__ == "__main__":
    main()
