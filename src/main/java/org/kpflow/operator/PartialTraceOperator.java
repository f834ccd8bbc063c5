package org.kpflow.operator;

import java.util.OptionalDouble;
import org.kpflow.tensor.Tensor;

/**
 * (tr A)[i, j] = Σ_u A[(i,u), (j,u)] (THEORY 5), over N where it is averaged: x ⊗ e_u goes through
 * A for every basis vector e_u of the traced axes, and component u of what comes back is summed.
 */
final class PartialTraceOperator extends AxisReduction {
  private final boolean averaged;

  PartialTraceOperator(LinearOperator part, AxisSplit split, boolean averaged) {
    super(part, split, averaged ? 1.0 / split.tracedCount() : 1, split.tracedCount());
    this.averaged = averaged;
  }

  @Override
  void accumulate(boolean adjoint, Tensor x, Tensor probes, Tensor images, Tensor sums) {
    long length = x.shape().size(0);
    long traced = split().tracedCount();
    long together = Math.min(traced, probes.shape().size(0) / length);
    try (Tensor zero = zeros(1)) {
      for (long first = 0; first < traced; first += together) {
        BasisSweep.stopIfInterrupted();
        long count = Math.min(together, traced - first);
        for (long i = 0; i < count; i++) {
          split().put(x, false, probes.slice(i * length, length), first + i);
        }
        part().apply(adjoint, probes.slice(0, count * length), images.slice(0, count * length));
        for (long i = 0; i < count; i++) {
          split().add(images.slice(i * length, length), first + i, sums);
          split().put(zero, true, probes.slice(i * length, length), first + i);
        }
      }
    }
  }

  /** The trace over the kept axes of the one over the others is that over all. */
  @Override
  public OptionalDouble knownTrace() {
    return product(OptionalDouble.of(weight()), part().knownTrace());
  }

  @Override
  public String toString() {
    return formula("tr") + (averaged ? "/" + split().tracedCount() : "");
  }
}
