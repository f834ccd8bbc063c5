package org.kpflow.estimate;

import org.kpflow.base.Estimate;
import org.kpflow.tensor.Tensor;

/**
 * An array of numbers, each with its standard error. Closing it closes both arrays.
 *
 * @param value the estimates, f64
 * @param standardError their standard errors, of the same shape
 * @param matvecs vectors that went through operators to get them
 * @param seed the seed of the random numbers
 */
public record TensorEstimate(Tensor value, Tensor standardError, long matvecs, long seed)
    implements AutoCloseable {
  /** One of the numbers. */
  public Estimate at(long... index) {
    return new Estimate(value.get(index), standardError.get(index), matvecs, seed);
  }

  @Override
  public void close() {
    value.close();
    standardError.close();
  }
}
