package org.kpflow.estimate;

import java.util.OptionalDouble;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Frobenius norms, differences and angles of operators from products with shared probes: E||A g||²
 * = ||A||_F², E⟨A g, B g⟩ = ⟨A, B⟩_F. Squared norms are unbiased; roots and ratios of them have a
 * bias of the order of one over the number of probes, far below their standard error.
 *
 * <p>All methods throw an IllegalArgumentException for operators that do not fit together or a
 * budget that is too small, and a {@link org.kpflow.base.NumericalException} where products
 * overflow.
 */
public final class NormEstimator {
  private NormEstimator() {}

  /**
   * Frobenius norm sqrt(E||A g||²) by Gaussian probes.
   *
   * @param samples probes, at least 2
   */
  public static Estimate frobenius(LinearOperator operator, int samples, RngState rng) {
    Checks.notNull(operator, "operator");
    requireSamples(samples);
    return frobenius(operator, new Sampler(ProbeDistribution.GAUSSIAN, rng), Budget.of(samples));
  }

  /** ||A||_F; exact, without products, where the operator knows it. At least 2 products. */
  public static Estimate frobenius(LinearOperator operator, Sampler sampler, Budget budget) {
    return norm(operator, sampler, budget, Statistic.ROOT_MEAN, 1);
  }

  /**
   * ||A||_F², unbiased; exact, without products, where the operator knows it. At least 2 products.
   */
  public static Estimate squaredFrobenius(LinearOperator operator, Sampler sampler, Budget budget) {
    return norm(operator, sampler, budget, Statistic.MEAN, 2);
  }

  /**
   * ||A||_F² = ||A Q||² + E||A (I - Q Q*) g||² with the span of Q exactly: the error is that of the
   * rest alone, so that leading eigenvectors in Q take most of it away. One product for each of
   * them, and at least 2 for probes.
   *
   * @param leading orthonormal rows [r, domain]
   */
  public static Estimate squaredFrobenius(
      LinearOperator operator, Tensor leading, Sampler sampler, Budget budget) {
    Checks.notNull(operator, "operator");
    long rank = Checks.notNull(leading, "leading").shape().size(0);
    Checks.shape("leading", operator.domain().block(rank), leading.shape());
    if (rank == 0 || operator.knownFrobeniusNorm().isPresent()) {
      return squaredFrobenius(operator, sampler, budget);
    }
    Deflation deflation = Deflation.along(operator, leading);
    double exact;
    try (Tensor images = operator.matmat(leading)) {
      double square = TensorMath.dot(operator.context(), images, images);
      exact = Sampling.finite(operator, square)[0];
    }
    Estimate rest =
        Sampling.of(operator, sampler, budget)
            .estimate(
                probes -> {
                  deflation.project(1, probes);
                  try (Tensor images = operator.matmat(probes)) {
                    return new double[][] {TensorMath.dots(operator.context(), images, images)};
                  }
                },
                Statistic.MEAN);
    return rest.derived(exact + rest.value(), rest.standardError())
        .withMatvecs(rest.matvecs() + rank);
  }

  private static Estimate norm(
      LinearOperator operator, Sampler sampler, Budget budget, Statistic statistic, int power) {
    Sampling sampling = Sampling.of(operator, sampler, budget);
    budget.require(2, operator.dtype());
    OptionalDouble known = operator.knownFrobeniusNorm();
    if (known.isPresent()) {
      double value = Math.pow(known.getAsDouble(), power);
      return Estimate.exact(Sampling.finite(operator, value)[0]);
    }
    return sampling.estimate(
        probes -> {
          try (Tensor images = operator.matmat(probes)) {
            return new double[][] {TensorMath.dots(operator.context(), images, images)};
          }
        },
        statistic);
  }

  /**
   * Cosine similarity ⟨A, B⟩_F / (||A||_F ||B||_F), all three from the same Gaussian probes; NaN if
   * one operator is zero.
   *
   * @param samples probes, at least 2; two products each
   * @throws IllegalArgumentException if the operators have different domains or ranges
   */
  public static Estimate cosine(LinearOperator a, LinearOperator b, int samples, RngState rng) {
    requireAlike(a, b);
    requireSamples(samples);
    return cosine(a, b, new Sampler(ProbeDistribution.GAUSSIAN, rng), Budget.of(twice(samples)));
  }

  /**
   * {@link #cosine(LinearOperator, LinearOperator, int, RngState)} with other probes or another
   * end; at least 4 products, of which each probe takes two.
   */
  public static Estimate cosine(
      LinearOperator a, LinearOperator b, Sampler sampler, Budget budget) {
    requireAlike(a, b);
    return Sampling.of(a, sampler, budget)
        .productsPerProbe(2)
        .estimate(
            probes -> pairs(a, b, probes),
            (sums, count) -> Statistic.ratio(sums[0], Math.sqrt(sums[1]) * Math.sqrt(sums[2])));
  }

  /**
   * Relative difference ||A - B||_F / max(||A||_F, ||B||_F), all three from the same probes; 0 if
   * both operators are zero, as {@link LinearOperator#compare}, which is exact. At least 4
   * products, of which each probe takes two.
   */
  public static Estimate compare(
      LinearOperator a, LinearOperator b, Sampler sampler, Budget budget) {
    requireAlike(a, b);
    return Sampling.of(a, sampler, budget)
        .productsPerProbe(2)
        .estimate(
            probes -> pairs(a, b, probes),
            (sums, count) -> {
              double scale = Math.max(sums[1], sums[2]);
              return scale == 0 ? 0 : Math.sqrt(sums[3] / scale);
            });
  }

  /** ⟨A g, B g⟩, ||A g||², ||B g||² and ||A g - B g||² of every probe. */
  private static double[][] pairs(LinearOperator a, LinearOperator b, Tensor probes) {
    ExecutionContext context = a.context();
    try (Tensor left = a.matmat(probes);
        Tensor right = b.matmat(probes)) {
      double[] inner = TensorMath.dots(context, left, right);
      double[] ofA = TensorMath.dots(context, left, left);
      double[] ofB = TensorMath.dots(context, right, right);
      TensorMath.axpby(context, -1, right, 1, left);
      return new double[][] {inner, ofA, ofB, TensorMath.dots(context, left, left)};
    }
  }

  /**
   * Rayleigh quotient ⟨x, A x⟩ / ⟨x, x⟩.
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

  private static void requireSamples(int samples) {
    Checks.that(samples >= 2, "samples: expected at least 2, got %d", samples);
  }

  private static int twice(int samples) {
    Checks.that(
        samples <= Integer.MAX_VALUE / 2,
        "samples: expected at most %d, got %d",
        Integer.MAX_VALUE / 2,
        samples);
    return 2 * samples;
  }

  private static void requireAlike(LinearOperator a, LinearOperator b) {
    Checks.notNull(a, "first operator");
    Checks.notNull(b, "second operator");
    Checks.shape("second operator: domain", a.domain(), b.domain());
    Checks.shape("second operator: range", a.range(), b.range());
    Checks.dtype("second operator", a.dtype(), b.dtype());
  }
}
