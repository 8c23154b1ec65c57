#!/usr/bin/env python3
"""Times a training step of PyTorch for the project's models: forward, loss, backward, all-reduce (DDP over gloo), SGD.

    python3 Benchmarks/pytorch-step.py --model cnn --samples-per-rank 64 --ranks 2 --steps 20

Tries several settings of PyTorch and prints the best as JSON: milliseconds of a step and samples a second, best and
median of the steps. Data lies in memory. Times are those of rank 0, which the all-reduce ties to the others.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

SETTINGS = {
    "-".join(filter(None, words)): words for words in itertools.product(("default", "channels_last"), ("", "fused"))
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn", help="mlp, cnn, resnet18-cifar, or a published model (needs torchvision)")
    parser.add_argument("--samples-per-rank", type=int, default=64)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--threads-per-rank", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=3, help="steps before the counted ones")
    parser.add_argument("--input", help="CxHxW (default: what the model is known by)")
    parser.add_argument("--settings", default="all", help=f"all, or some of {','.join(SETTINGS)}")
    parser.add_argument("--compile", action="store_true", help="also compile the model (torch.compile)")
    parser.add_argument("--json", help="file to write instead of standard output")
    options = parser.parse_args()
    options.settings = list(SETTINGS) if options.settings == "all" else options.settings.split(",")
    unknown = [name for name in options.settings if name not in SETTINGS]
    if unknown:
        parser.error(f"--settings {','.join(unknown)} is unknown; choose from {','.join(SETTINGS)}")
    return options


def main():
    options = parse()
    # Before PyTorch starts its threads, and inherited by the ranks.
    os.environ["OMP_NUM_THREADS"] = str(options.threads_per_rank)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with tempfile.TemporaryDirectory() as directory:
        results = pathlib.Path(directory) / "results.json"
        if options.ranks == 1:
            run(0, options, directory)
        else:
            import torch.multiprocessing

            torch.multiprocessing.spawn(run, (options, directory), options.ranks)
        settings = json.loads(results.read_text())
    best = min(settings, key=lambda name: settings[name]["milliseconds_median"])
    record = {
        "model": options.model, "ranks": options.ranks, "samples_per_rank": options.samples_per_rank,
        "threads_per_rank": options.threads_per_rank, "steps": options.steps, "setting": best, **settings[best],
        "settings": settings,
    }
    text = json.dumps(record, indent=1) + "\n"
    if options.json:
        pathlib.Path(options.json).write_text(text)
    else:
        sys.stdout.write(text)


def run(rank, options, directory):
    """One rank: times all settings; rank 0 writes the results."""
    import torch
    import torch.distributed

    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Tests" / "References"))
    import reference_models

    torch.set_num_threads(options.threads_per_rank)
    torch.set_num_interop_threads(1)
    if options.ranks > 1:
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{directory}/rendezvous", rank=rank, world_size=options.ranks
        )
    own = ("mlp", "lenet5", "cnn", "resnet18-cifar")
    shape = reference_models.default_shape(options.model) if options.model in own else (3, 224, 224)
    if options.input:
        shape = tuple(int(word) for word in options.input.split("x"))

    def make_model():
        if options.model in own:
            return reference_models.make_model(options.model, shape)
        import published_models

        return published_models.make_published_model(options.model, 10)

    results = {}
    for name in options.settings:
        layout, fused = SETTINGS[name]
        if layout == "channels_last" and options.model == "mlp" and len(options.settings) > 1:
            continue
        torch.manual_seed(rank)
        images = torch.randn(options.samples_per_rank, *shape)
        labels = torch.randint(0, 10, (options.samples_per_rank,))
        model = make_model()
        if layout == "channels_last":
            model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
        if options.ranks > 1:
            model = torch.nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, 0.9, fused=bool(fused))
        if options.compile:
            model = torch.compile(model)
        results[name] = measure(model, optimizer, images, labels, options)
    if rank == 0:
        (pathlib.Path(directory) / "results.json").write_text(json.dumps(results))
    if options.ranks > 1:
        torch.distributed.destroy_process_group()


def measure(model, optimizer, images, labels, options):
    """Milliseconds of a step and samples a second over all ranks."""
    from torch.nn.functional import cross_entropy

    model.train()
    milliseconds = []
    total = 0.0
    for _ in range(options.warm_up + options.steps):
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    milliseconds = milliseconds[options.warm_up :]
    samples = options.samples_per_rank * options.ranks
    least, median = min(milliseconds), statistics.median(milliseconds)
    return {
        "milliseconds_min": round(least, 4),
        "milliseconds_median": round(median, 4),
        "samples_per_second_best": round(samples / least * 1e3, 1),
        "samples_per_second_median": round(samples / median * 1e3, 1),
    }


if __name__ == "__main__":
    main()
