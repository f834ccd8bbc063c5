package org.kpflow.spectral;

import org.kpflow.tensor.Tensor;

/**
 * Singular triplets A v = σ u, A* u = σ v with their evidence. Closing frees the vectors.
 *
 * @param values singular values, descending
 * @param left u, [values.length, range], orthonormal
 * @param right v, [values.length, domain], orthonormal
 * @param residuals ‖A v - σ u‖ of each triplet
 * @param adjointResiduals ‖A* u - σ v‖ of each triplet
 * @param matvecs products with the operator, its adjoint and its inverse, all together
 * @param iterations restarts used, 0 for a dense solution
 */
public record SingularTriplets(
    double[] values,
    Tensor left,
    Tensor right,
    double[] residuals,
    double[] adjointResiduals,
    long matvecs,
    long iterations)
    implements AutoCloseable {
  @Override
  public void close() {
    left.close();
    right.close();
  }
}
