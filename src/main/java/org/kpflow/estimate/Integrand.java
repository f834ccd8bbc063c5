package org.kpflow.estimate;

import org.kpflow.tensor.Tensor;

/**
 * What is taken from probes: q numbers of each, such as ⟨g, A g⟩ or ||A g||², by one product of the
 * operator with the whole block.
 */
@FunctionalInterface
public interface Integrand {
  /**
   * The numbers of a block of probes [s, domain], as q rows of s; the block may be overwritten. The
   * same q for every block.
   */
  double[][] of(Tensor probes);
}
