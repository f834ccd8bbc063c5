package org.kpflow.estimate;

import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Distributions of probes g of N numbers; all of them isotropic, E g gᵀ = I. */
public enum ProbeDistribution {
  /** Independent random signs: ⟨g, A g⟩ has no noise from the diagonal of A. */
  RADEMACHER(RngState.Distribution.RADEMACHER),
  /** Independent standard Gaussian numbers. */
  GAUSSIAN(RngState.Distribution.GAUSSIAN),
  /** Uniform on the sphere of radius √N: a Gaussian vector scaled to that norm. */
  SPHERE(RngState.Distribution.GAUSSIAN);

  private final RngState.Distribution entries;

  ProbeDistribution(RngState.Distribution entries) {
    this.entries = entries;
  }

  /** Fills a block [s, N] with s probes and returns the state of the stream after them. */
  RngState fill(ExecutionContext context, RngState rng, Tensor block) {
    RngState next = rng.fill(context, entries, block);
    if (this == SPHERE && block.count() > 0) {
      double[] squares = TensorMath.dots(context, block, block);
      double radius = Math.sqrt(block.shape().tail().count());
      for (int i = 0; i < squares.length; i++) {
        Tensor probe = block.slice(i);
        TensorMath.axpby(context, radius / Math.sqrt(squares[i]), probe, 0, probe);
      }
    }
    return next;
  }
}
