"""Writes the numbers that OptimizersTests compares with: steps of PyTorch's optimizers and schedules.

    python make_optimizer_references.py     (needs torch and safetensors)

optimizers.safetensors: start (two parameters of 7 x 11 and 5), gradients of 20 steps, and the parameters after some of
them (`kept`) for every chain. Parameter 1 is a bias, excluded from weight decay where a name says so. Everything is computed in
float64 from float32 inputs, so the numbers are the mathematics and not one library's rounding, and rounded to float32 once.
schedules.safetensors: the learning rates of 60 steps in float64.
"""
import pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).parent.parent / "OptimizersTests" / "References"
folder.mkdir(exist_ok=True)
torch.manual_seed(3)
steps, shapes, kept = 20, [(7, 11), (5,)], [0, 1, 4, 9, 19]
start = [torch.randn(shape, dtype=torch.float32) for shape in shapes]
gradients = [[torch.randn(shape, dtype=torch.float32) for shape in shapes] for _ in range(steps)]
rates = [0.1 * 0.9**step for step in range(steps)]


def flat(tensors):
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def run(make, clip=None):
    """The flat parameters after the kept steps, [5, 82]."""
    parameters = [torch.nn.Parameter(tensor.double()) for tensor in start]
    optimizer = make(parameters)
    rows = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rates[step]
        for parameter, gradient in zip(parameters, gradients[step]):
            parameter.grad = gradient.double().clone()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        rows.append(flat(parameters))
    return torch.stack([rows[step] for step in kept]).float()


def sgd(**settings):
    return lambda parameters: torch.optim.SGD(parameters, lr=1, **settings)


def without_bias(optimizer, decay, **settings):
    return lambda parameters: optimizer(
        [{"params": parameters[:1], "weight_decay": decay}, {"params": parameters[1:], "weight_decay": 0.0}],
        lr=1, **settings)


out = {
    "start": flat(start),
    "kept": torch.tensor(kept),
    "gradients": torch.stack([flat(row) for row in gradients]),
    "rates": torch.tensor(rates, dtype=torch.float64),
    "norms": torch.stack([flat(row).double().norm() for row in gradients]),
    "sgd": run(sgd()),
    "momentum": run(sgd(momentum=0.9)),
    "nesterov": run(sgd(momentum=0.9, nesterov=True)),
    "decay": run(sgd(weight_decay=0.05)),
    "momentum-decay": run(sgd(momentum=0.9, weight_decay=0.05)),
    "nesterov-decay-without-bias": run(without_bias(torch.optim.SGD, 0.05, momentum=0.9, nesterov=True)),
    "clip": run(sgd(), clip=9.0),
    "clip-loose": run(sgd(momentum=0.9), clip=100.0),
    "clip-nesterov-decay": run(sgd(momentum=0.9, nesterov=True, weight_decay=0.05), clip=9.0),
    "adamw-without-bias": run(without_bias(torch.optim.AdamW, 0.05, betas=(0.8, 0.95), eps=1e-6)),
    "adam-l2": run(lambda parameters: torch.optim.Adam(parameters, lr=1, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.05)),
}


def lars(adapted=(0,), epsilon=1e-3, nesterov=False, correction=False):
    """You, Gitman, Ginsburg (2017), algorithm 1, over the adapted parameters; MLPerf's reference skips the bias.

    Momentum holds steps that carry the learning rate. With the correction of Goyal et al. (2017), section 3, remark 2.
    """
    parameters = [tensor.double() for tensor in start]
    traces = [torch.zeros_like(parameter) for parameter in parameters]
    rows = []
    for step in range(steps):
        momentum = 0.9 * (rates[step] / rates[step - 1] if correction and step > 0 else 1)
        for i, gradient in enumerate(gradients[step]):
            gradient, weights = gradient.double(), parameters[i]
            if i in adapted:
                ratio = 0.02 * weights.norm() / (gradient.norm() + 0.05 * weights.norm() + epsilon)
                gradient = ratio * (gradient + 0.05 * weights)
            traces[i] = momentum * traces[i] + rates[step] * gradient
            parameters[i] = weights - (0.9 * traces[i] + rates[step] * gradient if nesterov else traces[i])
        rows.append(flat(parameters))
    return torch.stack([rows[step] for step in kept]).float()


def average(decay):
    """The mean of the parameters after each step of `momentum`, with weights decay**age."""
    parameters = [torch.nn.Parameter(tensor.double()) for tensor in start]
    optimizer = torch.optim.SGD(parameters, lr=1, momentum=0.9)
    after, rows = [], []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rates[step]
        for parameter, gradient in zip(parameters, gradients[step]):
            parameter.grad = gradient.double().clone()
        optimizer.step()
        after.append(flat(parameters).clone())
        weights = [decay**age for age in range(step, -1, -1)]
        rows.append(sum(weight * vector for weight, vector in zip(weights, after)) / sum(weights))
    return torch.stack([rows[step] for step in kept]).float()


def lamb():
    """You et al. (2020), algorithm 2, phi the identity."""
    parameters = [tensor.double() for tensor in start]
    first = [torch.zeros_like(parameter) for parameter in parameters]
    second = [torch.zeros_like(parameter) for parameter in parameters]
    rows = []
    for step in range(steps):
        for i, gradient in enumerate(gradients[step]):
            gradient, weights = gradient.double(), parameters[i]
            first[i] = 0.9 * first[i] + 0.1 * gradient
            second[i] = 0.99 * second[i] + 0.01 * gradient**2
            update = (first[i] / (1 - 0.9 ** (step + 1))) / ((second[i] / (1 - 0.99 ** (step + 1))).sqrt() + 1e-6)
            if i == 0:
                update = update + 0.05 * weights
                update = update * (weights.norm() / update.norm())
            parameters[i] = weights - rates[step] * update
        rows.append(flat(parameters))
    return torch.stack([rows[step] for step in kept]).float()


out["lars-without-bias"] = lars()
out["lars-nesterov-without-bias"] = lars(nesterov=True)
out["lars-correction-without-bias"] = lars(correction=True)
out["lars-nesterov-correction-without-bias"] = lars(nesterov=True, correction=True)
out["lars-paper"] = lars(adapted=(0, 1), epsilon=0)
out["average-of-momentum"] = average(0.8)
out["lamb-without-bias"] = lamb()
save_file(out, folder / "optimizers.safetensors")


def schedule(make, count=60):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    scheduler = make(optimizer)
    rows = []
    for _ in range(count):
        rows.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(rows, dtype=torch.float64)


def mlperf(step, peak, train_steps, warmup_steps, end=1e-4, power=2):
    """MLPerf's reference for ResNet (lars_util.py): a warm-up from zero, then a polynomial over one step more than is left."""
    if step <= warmup_steps:
        return peak * step / warmup_steps
    decay_steps = train_steps - warmup_steps + 1
    return (peak - end) * (1 - min(step - warmup_steps, decay_steps) / decay_steps) ** power + end


rate = torch.optim.lr_scheduler
warmup = lambda optimizer: rate.LinearLR(optimizer, start_factor=0.25, end_factor=1, total_iters=10)
save_file(
    {
        "cosine": schedule(lambda o: rate.CosineAnnealingLR(o, T_max=60, eta_min=0.01)),
        "cosine-after-warmup": schedule(
            lambda o: rate.SequentialLR(o, [warmup(o), rate.CosineAnnealingLR(o, T_max=50, eta_min=0.01)], [10])),
        "step": schedule(lambda o: rate.MultiStepLR(o, [20, 35, 50], gamma=0.1)),
        "polynomial": schedule(lambda o: rate.PolynomialLR(o, total_iters=50, power=2)),
        "warmup": schedule(warmup),
        "mlperf": torch.tensor([mlperf(step, 0.4, 60, 10) for step in range(60)], dtype=torch.float64),
    },
    folder / "schedules.safetensors",
)
