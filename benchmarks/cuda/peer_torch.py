"""NTK times a block of probes in PyTorch: J J* as jvp of vjp through an unrolled GRU, with TF32 off.

The vjp of all probes is one backward pass under vmap, the jvp one forward pass in tangents. Three variants, from the one that
is surely to be had to the one that may be fastest: as it is, replayed as a CUDA graph, and compiled.
"""

import time

import numpy as np
import torch

from peer import Case

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.set_float32_matmul_precision("highest")


def states(theta, x):
    """h [B, T, H] of a GRU with gate rows r, z, n, from h_0 = 0."""
    weight_ih, weight_hh, bias_ih, bias_hh = theta
    hidden = weight_hh.shape[1]
    p = x @ weight_ih.T + bias_ih
    h = x.new_zeros(x.shape[0], hidden)
    steps = []
    for t in range(x.shape[1]):
        p_r, p_z, p_n = p[:, t].split(hidden, dim=1)
        q_r, q_z, q_n = (h @ weight_hh.T + bias_hh).split(hidden, dim=1)
        r, z = torch.sigmoid(p_r + q_r), torch.sigmoid(p_z + q_z)
        n = torch.tanh(p_n + r * q_n)
        h = (1 - z) * n + z * h
        steps.append(h)
    return torch.stack(steps, dim=1)


def measure(case, call):
    """Seconds of each call, by events on the GPU; the last result."""
    seconds = []
    for i in range(-2, case.repeat):
        if case.device == "cuda":
            start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            out = call()
            end.record()
            torch.cuda.synchronize()
            taken = start.elapsed_time(end) / 1e3
        else:
            begin = time.perf_counter()
            out = call()
            taken = time.perf_counter() - begin
        if i >= 0:
            seconds.append(taken)
    return seconds, out


def main():
    case = Case("torch", torch.__version__)
    theta = tuple(torch.from_numpy(weight).to(case.device) for weight in case.theta)
    x = torch.from_numpy(case.x).to(case.device)
    block = torch.randn(case.block_shape(), dtype=x.dtype, device=case.device)
    block[0] = torch.from_numpy(case.probe[0])

    def ntk(theta, x, block):
        def model(weights):
            return states(weights, x)

        _, pull = torch.func.vjp(model, theta)
        gradients = torch.func.vmap(lambda probe: pull(probe)[0])(block)
        return torch.func.vmap(lambda gradient: torch.func.jvp(model, (theta,), (gradient,))[1])(gradients)

    def try_variant(name, call):
        seconds, out = measure(case, call)
        case.record(name, seconds, out[0].cpu().numpy().astype(np.float64))

    with torch.no_grad():
        if case.wants("eager"):
            try_variant("eager", lambda: ntk(theta, x, block))
        if case.device == "cuda" and case.wants("graph"):
            try:
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph):
                    captured = ntk(theta, x, block)

                def replay():
                    graph.replay()
                    return captured

                try_variant("CUDA graph", replay)
                del graph, captured
            except RuntimeError as error:
                print(f"torch CUDA graph: {error}", flush=True)
        if case.wants("compiled"):
            compiled = torch.compile(ntk)
            try_variant("compiled", lambda: compiled(theta, x, block))


main()
