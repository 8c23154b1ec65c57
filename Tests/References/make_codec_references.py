"""Writes what PyTorch's communication hooks make of gradients, with which CompressionTests compares the codecs.

    python make_codec_references.py     (needs torch and numpy)

Two processes of DistributedDataParallel over gloo have a matrix of 12 × 20 as their only parameter and gradients of their own.
"""
import pathlib
import tempfile

import numpy
import torch
import torch.distributed as distributed
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook

from tensor_files import write_safetensors

FOLDER = pathlib.Path(__file__).parent.parent / "CompressionTests" / "References"
SHAPE, STEPS, WORKERS, RANK = (12, 20), 5, 2, 2


def gradient(worker, step):
    """A function of its arguments that any language can compute: a linear congruential generator's high bits."""
    state = 1000 * worker + step + 1
    values = []
    for _ in range(SHAPE[0] * SHAPE[1] + 8):
        state = (1664525 * state + 1013904223) % 2**32
        values.append((state >> 8) / 2**24 - 0.5)
    # The first numbers of neighbouring states are alike.
    return torch.tensor(values[8:], dtype=torch.float32).reshape(SHAPE)


class Matrix(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(SHAPE))

    def forward(self, factor):
        return (self.weight * factor).sum()


def run(rank, rendezvous, results):
    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=WORKERS)
    found = {}
    hooks = {
        "float16": (None, default_hooks.fp16_compress_hook),
        "bfloat16": (None, default_hooks.bf16_compress_hook),
        "powersgd": (
            powerSGD_hook.PowerSGDState(
                None, matrix_approximation_rank=RANK, start_powerSGD_iter=2, min_compression_rate=1, random_seed=3),
            powerSGD_hook.powerSGD_hook),
    }
    for name, (state, hook) in hooks.items():
        model = torch.nn.parallel.DistributedDataParallel(Matrix())
        model.register_comm_hook(state, hook)
        for step in range(STEPS):
            model.zero_grad()
            model(gradient(rank, step)).backward()
            found[f"{name}/{step}"] = model.module.weight.grad.numpy().copy()
            if name == "powersgd" and state.q_memory_dict:
                # Where the next step starts: [columns, rank].
                [q] = state.q_memory_dict.values()
                found[f"{name}/start/{step + 1}"] = q.reshape(SHAPE[1], RANK).numpy().copy()
    if rank == 0:
        numpy.savez(results, **found)
    distributed.destroy_process_group()


def main():
    with tempfile.TemporaryDirectory() as directory:
        results = pathlib.Path(directory) / "results.npz"
        torch.multiprocessing.spawn(run, (pathlib.Path(directory) / "rendezvous", results), nprocs=WORKERS)
        found = dict(numpy.load(results))
    FOLDER.mkdir(exist_ok=True)
    write_safetensors(FOLDER / "hooks.safetensors", found, {"torch": torch.__version__})
    print({name: value.shape for name, value in sorted(found.items())})


if __name__ == "__main__":
    main()
