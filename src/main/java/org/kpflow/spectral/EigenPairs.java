package org.kpflow.spectral;

import org.kpflow.tensor.Tensor;

/**
 * Eigenpairs with their evidence. Closing frees the vectors.
 *
 * @param values eigenvalues, descending; only those that converged
 * @param vectors [values.length, domain] orthonormal
 * @param residuals ||A v - λ v|| of each pair
 * @param matvecs products with the operator, those for the residuals included
 * @param iterations restarts or passes used, 0 for a dense solution
 * @param complete whether all pairs that were asked for converged
 */
public record EigenPairs(
    double[] values,
    Tensor vectors,
    double[] residuals,
    long matvecs,
    long iterations,
    boolean complete)
    implements AutoCloseable {
  @Override
  public void close() {
    vectors.close();
  }
}
