package org.kpflow.operator;

import org.kpflow.tensor.Tensor;

/**
 * (1/N) Σ_{u,v} A[(i,u), (j,v)]: x is repeated along the traced axes and the output averaged over
 * them. Not a partial trace.
 */
final class CoherentAverageOperator extends AxisReduction {
  CoherentAverageOperator(LinearOperator part, AxisSplit split) {
    super(part, split, 1.0 / split.tracedCount(), 1);
  }

  @Override
  void accumulate(boolean adjoint, Tensor x, Tensor probes, Tensor images, Tensor sums) {
    long length = x.shape().size(0);
    Tensor probe = probes.slice(0, length);
    Tensor image = images.slice(0, length);
    split().expand(x, probe);
    part().apply(adjoint, probe, image);
    split().sum(image, sums);
  }

  @Override
  public String toString() {
    return formula("coherent");
  }
}
