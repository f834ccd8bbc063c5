"""NTK times a block of probes in JAX: linearize, transpose, vmap and jit of a GRU, with products of full precision.

The forward pass is linearized inside the compiled function, which costs a part in 4 s of the work. The loop over time is a scan,
once step by step and once with ten steps in its body.
"""

import os
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
from jax import numpy as jnp

from peer import Case

jax.config.update("jax_default_matmul_precision", "highest")


def states(theta, x, unroll):
    """h [B, T, H] of a GRU with gate rows r, z, n, from h_0 = 0."""
    weight_ih, weight_hh, bias_ih, bias_hh = theta
    p = jnp.swapaxes(x @ weight_ih.T + bias_ih, 0, 1)

    def step(h, p_t):
        p_r, p_z, p_n = jnp.split(p_t, 3, axis=1)
        q_r, q_z, q_n = jnp.split(h @ weight_hh.T + bias_hh, 3, axis=1)
        r, z = jax.nn.sigmoid(p_r + q_r), jax.nn.sigmoid(p_z + q_z)
        n = jnp.tanh(p_n + r * q_n)
        h = (1 - z) * n + z * h
        return h, h

    _, h = jax.lax.scan(step, jnp.zeros((x.shape[0], weight_hh.shape[1]), x.dtype), p, unroll=unroll)
    return jnp.swapaxes(h, 0, 1)


def main():
    case = Case("jax", jax.__version__)
    jax.config.update("jax_enable_x64", case.dtype == "f64")
    jax.config.update("jax_platforms", case.device)
    theta = tuple(jnp.asarray(weight) for weight in case.theta)
    x = jnp.asarray(case.x)
    block = jax.random.normal(jax.random.key(1), case.block_shape(), x.dtype).at[0].set(case.probe[0])

    def ntk(unroll):
        def apply(theta, x, block):
            _, push = jax.linearize(lambda weights: states(weights, x, unroll), theta)
            pull = jax.linear_transpose(push, theta)
            return jax.vmap(lambda probe: push(pull(probe)[0]))(block)

        return jax.jit(apply)

    for unroll in (1, 10):
        call, seconds = ntk(unroll), []
        for i in range(-2, case.repeat):
            begin = time.perf_counter()
            out = jax.block_until_ready(call(theta, x, block))
            if i >= 0:
                seconds.append(time.perf_counter() - begin)
        case.record(f"scan, {unroll} steps a turn", seconds, np.asarray(out[0], dtype=np.float64))
        del out


main()
