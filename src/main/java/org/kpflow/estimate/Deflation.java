package org.kpflow.estimate;

import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * An approximate leading range of an operator: rows Q [r, range], an orthonormal basis of the span
 * of A S for r Gaussian probes S. What lies in it is treated exactly, the rest by probes.
 */
final class Deflation implements AutoCloseable {
  private final LinearOperator operator;
  private final Tensor basis;

  private Deflation(LinearOperator operator, Tensor basis) {
    this.operator = operator;
    this.basis = basis;
  }

  /** The basis of r probes of a square operator, r at least 1 and at most its size; r products. */
  static Deflation of(LinearOperator operator, int rank, RngState rng) {
    Shape block = operator.domain().block(rank);
    Tensor basis = operator.zeros(block);
    try (Tensor probes = operator.zeros(block)) {
      ProbeDistribution.GAUSSIAN.fill(operator.context(), rng, probes);
      operator.matmat(probes, basis);
      Sampling.finite(operator, TensorMath.dots(operator.context(), basis, basis));
      TensorMath.orthonormalizeRows(Sampling.rows(basis));
      return new Deflation(operator, basis);
    } catch (RuntimeException | Error failure) {
      basis.close();
      throw failure;
    }
  }

  /** A given orthonormal basis [r, range], at least one row, which stays the caller's. */
  static Deflation along(LinearOperator operator, Tensor basis) {
    return new Deflation(operator, basis.reshape(basis.shape()));
  }

  /** Q [r, domain]. */
  Tensor basis() {
    return basis;
  }

  /** block -= weight P block with P = Q* Q, for a block [s, domain]. */
  void project(double weight, Tensor block) {
    Tensor q = Sampling.rows(basis);
    Tensor g = Sampling.rows(block);
    try (Tensor coefficients = operator.zeros(g.shape().size(0), q.shape().size(0))) {
      TensorMath.gemm(operator.context(), false, true, 1, g, q, 0, coefficients);
      TensorMath.gemm(operator.context(), false, false, -weight, coefficients, q, 1, g);
    }
  }

  @Override
  public void close() {
    basis.close();
  }
}
