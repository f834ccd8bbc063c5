package org.kpflow.estimate;

import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Frobenius norms and angles between operators from products with shared Gaussian probes. */
public final class NormEstimator {
  private NormEstimator() {}

  /**
   * Frobenius norm sqrt(E||A g||²).
   *
   * @param samples probes, at least 2
   */
  public static Estimate frobenius(LinearOperator operator, int samples, RngState rng) {
    Checks.notNull(operator, "operator");
    Sampling.requireSamples("samples", samples, 2);
    double[] squares = new double[samples];
    Sampling.blocks(
        operator,
        RngState.Distribution.GAUSSIAN,
        samples,
        rng,
        (first, probes) -> {
          try (Tensor products = operator.matmat(probes)) {
            double[] norms = TensorMath.dots(operator.context(), products, products);
            System.arraycopy(norms, 0, squares, first, norms.length);
          }
        });
    return Sampling.jackknife(
        samples,
        samples,
        leftOut ->
            Math.sqrt(
                Sampling.sumWithout(squares, leftOut) / (leftOut < 0 ? samples : samples - 1)));
  }

  /**
   * Frobenius norm with deflation: ||A||_F² = ||A Q*||² + E||A (I - Q* Q) g||², the first term
   * exactly. With leading eigenvectors in Q the error is that of the rest alone.
   *
   * @param q orthonormal rows [r, domain]
   * @param samples probes, at least 2
   */
  public static Estimate frobenius(LinearOperator operator, Tensor q, int samples, RngState rng) {
    Checks.notNull(operator, "operator");
    Sampling.requireSamples("samples", samples, 2);
    long r = Checks.notNull(q, "q").shape().size(0);
    Checks.shape("q", operator.domain().block(r), q.shape());
    double onBasis = 0;
    if (r > 0) {
      try (Tensor products = operator.matmat(q)) {
        onBasis = TensorMath.dot(operator.context(), products, products);
      }
    }
    double exact = onBasis;
    double[] squares = new double[samples];
    Sampling.blocks(
        operator,
        RngState.Distribution.GAUSSIAN,
        samples,
        rng,
        (first, probes) -> {
          if (r > 0) {
            TraceEstimator.project(operator, q, probes);
          }
          try (Tensor products = operator.matmat(probes)) {
            double[] norms = TensorMath.dots(operator.context(), products, products);
            System.arraycopy(norms, 0, squares, first, norms.length);
          }
        });
    return Sampling.jackknife(
        samples,
        samples + r,
        leftOut ->
            Math.sqrt(
                exact
                    + Sampling.sumWithout(squares, leftOut)
                        / (leftOut < 0 ? samples : samples - 1)));
  }

  /**
   * Cosine similarity <A, B>_F / (||A||_F ||B||_F), all three from the same probes; NaN if one
   * operator is zero.
   *
   * @param samples probes, at least 2
   * @throws IllegalArgumentException if the operators have different domains or ranges
   */
  public static Estimate cosine(LinearOperator a, LinearOperator b, int samples, RngState rng) {
    Checks.notNull(a, "first operator");
    Checks.notNull(b, "second operator");
    Sampling.requireSamples("samples", samples, 2);
    Checks.shape("second operator: domain", a.domain(), b.domain());
    Checks.shape("second operator: range", a.range(), b.range());
    Checks.dtype("second operator", a.dtype(), b.dtype());
    double[] inner = new double[samples];
    double[] ofA = new double[samples];
    double[] ofB = new double[samples];
    Sampling.blocks(
        a,
        RngState.Distribution.GAUSSIAN,
        samples,
        rng,
        (first, probes) -> {
          try (Tensor left = a.matmat(probes);
              Tensor right = b.matmat(probes)) {
            double[] products = TensorMath.dots(a.context(), left, right);
            System.arraycopy(products, 0, inner, first, products.length);
            System.arraycopy(
                TensorMath.dots(a.context(), left, left), 0, ofA, first, products.length);
            System.arraycopy(
                TensorMath.dots(a.context(), right, right), 0, ofB, first, products.length);
          }
        });
    return Sampling.jackknife(
        samples,
        2L * samples,
        leftOut ->
            Sampling.sumWithout(inner, leftOut)
                / Math.sqrt(Sampling.sumWithout(ofA, leftOut) * Sampling.sumWithout(ofB, leftOut)));
  }

  /**
   * Rayleigh quotient <x, A x> / <x, x>.
   *
   * @throws IllegalArgumentException if x is zero
   */
  public static double rayleigh(LinearOperator operator, Tensor x) {
    Sampling.requireSquare(operator);
    try (Tensor product = operator.matvec(x)) {
      double square = TensorMath.dot(operator.context(), x, x);
      Checks.that(square > 0, "x: expected a vector that is not zero");
      return TensorMath.dot(operator.context(), x, product) / square;
    }
  }
}
