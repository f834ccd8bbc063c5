package org.kpflow.estimate;

import org.kpflow.base.Estimate;
import org.kpflow.tensor.Tensor;

/**
 * An estimated matrix. Closing it closes the matrix.
 *
 * @param value the matrix [κ, κ], f64
 * @param norm its Frobenius norm, with sqrt(E||M - E M||_F²), the expected error of the whole
 *     matrix in that norm, as the standard error; products and seed. The norm itself is high by the
 *     noise: ||M||² is ||E M||² plus the squared error
 */
public record MatrixEstimate(Tensor value, Estimate norm) implements AutoCloseable {
  /** Expected error of the whole matrix, in Frobenius norm. */
  public double standardError() {
    return norm.standardError();
  }

  /**
   * {@link #standardError} over the Frobenius norm; 0 where the error is 0, as of a zero matrix.
   */
  public double relativeError() {
    return norm.standardError() == 0 ? 0 : norm.standardError() / norm.value();
  }

  @Override
  public void close() {
    value.close();
  }
}
