package org.kpflow.estimate;

import java.util.Arrays;
import java.util.OptionalDouble;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Effective ranks of a positive semidefinite operator from its products. */
public final class RankEstimator {
  private static final int LEAST = 3;

  private RankEstimator() {}

  /**
   * {@link #participationRatio(LinearOperator, Sampler, Budget)} by random signs.
   *
   * @param matvecs products to spend, at least 3
   */
  public static Estimate participationRatio(LinearOperator operator, int matvecs, RngState rng) {
    Sampling.requireSquare(operator);
    Checks.that(matvecs >= LEAST, "matvecs: expected at least %d, got %d", LEAST, matvecs);
    return participationRatio(
        operator, new Sampler(ProbeDistribution.RADEMACHER, rng), Budget.of(matvecs));
  }

  /**
   * Participation ratio (tr A)² / ||A||_F², with a_i = ⟨g_i, A g_i⟩ and b_i = ||A g_i||² of the
   * same products:
   *
   * <pre>
   *   (tr A)² ≈ (1 / c(c-1)) Σ_{i≠j} a_i a_j = ((Σ a)² - Σ a²) / c(c-1),      ||A||_F² ≈ (1/c) Σ b.
   * </pre>
   *
   * Both are unbiased, since the pairs are of different probes; their ratio has a bias of order
   * 1/c. What the operator knows of its trace and norm is taken from it. NaN for a zero operator.
   *
   * @throws IllegalArgumentException if the operator is not square or the budget pays for fewer
   *     than 3 products
   * @throws org.kpflow.base.NumericalException where products overflow
   */
  public static Estimate participationRatio(
      LinearOperator operator, Sampler sampler, Budget budget) {
    Sampling.requireSquare(operator);
    Sampling sampling = Sampling.of(operator, sampler, budget).atLeast(LEAST);
    budget.require(LEAST, operator.dtype());
    OptionalDouble trace = operator.knownTrace();
    OptionalDouble norm = operator.knownFrobeniusNorm();
    if (trace.isPresent() && norm.isPresent()) {
      double root = Statistic.ratio(trace.getAsDouble(), norm.getAsDouble());
      Sampling.finite(operator, trace.getAsDouble(), norm.getAsDouble());
      return Estimate.exact(root * root);
    }
    return sampling.estimate(
        probes -> numbers(operator, probes),
        (sums, count) -> {
          double pairs = (sums[0] * sums[0] - sums[1]) / (count - 1.0) / count;
          double squaredTrace = trace.isPresent() ? square(trace.getAsDouble()) : pairs;
          double squaredNorm = norm.isPresent() ? square(norm.getAsDouble()) : sums[2] / count;
          return Statistic.ratio(squaredTrace, squaredNorm);
        });
  }

  /** a, a² and b of every probe. */
  private static double[][] numbers(LinearOperator operator, Tensor probes) {
    try (Tensor images = operator.matmat(probes)) {
      double[] a = TensorMath.dots(operator.context(), probes, images);
      return new double[][] {
        a,
        Arrays.stream(a).map(RankEstimator::square).toArray(),
        TensorMath.dots(operator.context(), images, images)
      };
    }
  }

  private static double square(double value) {
    return value * value;
  }
}
