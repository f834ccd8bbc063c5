package org.kpflow.estimate;

import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Unbiased estimates of the trace of a square operator from its products alone. */
public final class TraceEstimator {
  private TraceEstimator() {}

  /**
   * Hutchinson's estimator: the mean of <g, A g> over probes of random signs.
   *
   * @param matvecs products to spend, at least 2
   */
  public static Estimate hutchinson(LinearOperator operator, int matvecs, RngState rng) {
    Sampling.requireSquare(operator);
    Sampling.requireSamples("matvecs", matvecs, 2);
    double[] samples = new double[matvecs];
    Sampling.blocks(
        operator,
        RngState.Distribution.RADEMACHER,
        matvecs,
        rng,
        (first, probes) -> {
          try (Tensor products = operator.matmat(probes)) {
            copy(TensorMath.dots(operator.context(), probes, products), samples, first);
          }
        });
    return Estimate.ofSamples(samples, matvecs);
  }

  /**
   * Hutch++ (Meyer, Musco, Musco, Woodruff 2021): the trace on the span Q of a sketch A S exactly,
   * that of the rest by Hutchinson with probes (I - Q Qᵀ) g. The mean is unbiased for any number of
   * products: what does not divide by three goes to the rest. The standard error is that of the
   * rest; 0 when the sketch spans the whole space.
   *
   * @param matvecs products to spend, at least 6
   */
  public static Estimate hutchPlusPlus(LinearOperator operator, int matvecs, RngState rng) {
    Sampling.requireSquare(operator);
    Sampling.requireSamples("matvecs", matvecs, 6);
    Checks.notNull(rng, "rng");
    long size = operator.domain().count();
    int sketch = (int) Math.min(matvecs / 3, size);
    try (Tensor basis = range(operator, sketch, rng.split(1))) {
      double onBasis;
      try (Tensor products = operator.matmat(basis)) {
        onBasis = TensorMath.dot(operator.context(), basis, products);
      }
      if (sketch == size) {
        return new Estimate(onBasis, 0, 2L * sketch);
      }
      int rest = matvecs - 2 * sketch;
      double[] samples = new double[rest];
      Sampling.blocks(
          operator,
          RngState.Distribution.GAUSSIAN,
          rest,
          rng.split(2),
          (first, probes) -> {
            project(operator, basis, probes);
            try (Tensor products = operator.matmat(probes)) {
              copy(TensorMath.dots(operator.context(), probes, products), samples, first);
            }
          });
      Estimate remainder = Estimate.ofSamples(samples, rest);
      return new Estimate(onBasis + remainder.value(), remainder.standardError(), matvecs);
    }
  }

  /** An orthonormal basis [s, domain] of the span of A applied to s Gaussian probes. */
  private static Tensor range(LinearOperator operator, int sketch, RngState rng) {
    Shape block = operator.domain().block(sketch);
    Tensor basis = Tensor.zeros(operator.dtype(), block);
    try (Tensor probes = Tensor.zeros(operator.dtype(), block)) {
      rng.fill(operator.context(), RngState.Distribution.GAUSSIAN, probes);
      operator.matmat(probes, basis);
      TensorMath.orthonormalizeRows(basis.reshape(Shape.of(sketch, operator.domain().count())));
      return basis;
    } catch (RuntimeException failure) {
      basis.close();
      throw failure;
    }
  }

  /** probes -= Q Qᵀ probes, for rows. */
  static void project(LinearOperator operator, Tensor basis, Tensor probes) {
    long size = operator.domain().count();
    Tensor q = basis.reshape(Shape.of(basis.shape().size(0), size));
    Tensor g = probes.reshape(Shape.of(probes.shape().size(0), size));
    try (Tensor coefficients =
        Tensor.zeros(operator.dtype(), g.shape().size(0), q.shape().size(0))) {
      TensorMath.gemm(operator.context(), false, true, 1, g, q, 0, coefficients);
      TensorMath.gemm(operator.context(), false, false, -1, coefficients, q, 1, g);
    }
  }

  private static void copy(double[] source, double[] target, int first) {
    System.arraycopy(source, 0, target, first, source.length);
  }
}
