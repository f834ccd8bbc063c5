package org.kpflow.operator;

import org.kpflow.base.DType;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * An operator on the kept axes of a square operator, as a weighted sum over the others; sums are
 * kept in f64 and scratch is bounded.
 */
abstract class AxisReduction extends DerivedOperator {
  private final LinearOperator part;
  private final AxisSplit split;
  private final double weight;
  private final long copies;

  /**
   * A reduction that sends up to {@code copies} arrays through {@code part} at a time for every one
   * it is applied to.
   */
  AxisReduction(LinearOperator part, AxisSplit split, double weight, long copies) {
    super(part.context(), split.kept(), split.kept(), part.dtype(), part.isSelfAdjoint());
    this.part = part;
    this.split = split;
    this.weight = weight;
    this.copies = copies;
  }

  /**
   * sums += the unweighted result for x [c, kept]; probes and images are scratch [at least c,
   * full], probes zero at first.
   */
  abstract void accumulate(boolean adjoint, Tensor x, Tensor probes, Tensor images, Tensor sums);

  final LinearOperator part() {
    return part;
  }

  /** What the sum over the traced axes is multiplied by. */
  final double weight() {
    return weight;
  }

  final AxisSplit split() {
    return split;
  }

  @Override
  final void product(boolean adjoint, Tensor in, Tensor out) {
    long s = in.shape().size(0);
    long rows =
        BasisSweep.blockSize(
            2 * split.full().count() * dtype().bytes(), Math.multiplyExact(s, copies));
    long[] unit = {1};
    try (Tensor probes = zeros(split.full().block(rows));
        Tensor images = zeros(split.full().block(rows))) {
      for (long first = 0; first < s; first += rows) {
        BasisSweep.stopIfInterrupted();
        long length = Math.min(rows, s - first);
        try (Tensor sums = context().zeros(DType.F64, split.kept().block(length))) {
          accumulate(adjoint, in.slice(first, length), probes, images, sums);
          TensorMath.strided(
              new long[] {sums.count()}, weight, sums, unit, 0, out.slice(first, length), unit);
        }
      }
    }
  }

  /** The formula with the name of the reduction, as {@code tr[2](A)}. */
  final String formula(String name) {
    return name + split + "(" + part + ")";
  }
}
