package org.kpflow.estimate;

import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalDouble;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Unbiased estimates of the trace of a square operator from its products. Where the operator knows
 * its trace (an identity, a matrix, sums, multiples and tensor products of such) that is the
 * result: without products, error or seed. Where it has a factor, A = F F*, ⟨x, A x⟩ is taken as
 * ||F* x||², for half of the cost.
 *
 * <p>All methods throw an IllegalArgumentException for an operator that is not square or a budget
 * that is too small, and a {@link org.kpflow.base.NumericalException} where products overflow.
 */
public final class TraceEstimator {
  private static final int LEAST_HUTCH_PLUS_PLUS = 6;
  private static final int LEAST_XTRACE = 4;
  private static final int LEAST_XNYSTRACE = 2;

  private TraceEstimator() {}

  /**
   * Hutchinson's estimator: the mean of ⟨g, A g⟩ over probes of random signs.
   *
   * @param matvecs products to spend, at least 2
   */
  public static Estimate hutchinson(LinearOperator operator, int matvecs, RngState rng) {
    requireProducts(operator, matvecs, 2);
    return hutchinson(operator, new Sampler(ProbeDistribution.RADEMACHER, rng), Budget.of(matvecs));
  }

  /** Hutchinson's estimator with other probes or another end; at least 2 products. */
  public static Estimate hutchinson(LinearOperator operator, Sampler sampler, Budget budget) {
    requireProducts(operator, sampler, budget, 2);
    return known(operator)
        .orElseGet(
            () ->
                Sampling.of(operator, sampler, budget)
                    .estimate(probes -> new double[][] {forms(operator, probes)}, Statistic.MEAN));
  }

  /**
   * Hutch++ (Meyer, Musco, Musco, Woodruff 2021): the trace on the span Q of a sketch A S exactly,
   * that of the rest by Hutchinson with Gaussian probes (I - Q Qᵀ) g. The mean is unbiased for any
   * number of products: what does not divide by three goes to the rest. The standard error is that
   * of the rest; 0 when the sketch spans the whole space.
   *
   * @param matvecs products to spend, at least 6
   */
  public static Estimate hutchPlusPlus(LinearOperator operator, int matvecs, RngState rng) {
    requireProducts(operator, matvecs, LEAST_HUTCH_PLUS_PLUS);
    return hutchPlusPlus(
        operator, new Sampler(ProbeDistribution.GAUSSIAN, rng), Budget.of(matvecs));
  }

  /** Hutch++ with other probes or another end; at least 6 products. */
  public static Estimate hutchPlusPlus(LinearOperator operator, Sampler sampler, Budget budget) {
    requireProducts(operator, sampler, budget, LEAST_HUTCH_PLUS_PLUS);
    return known(operator)
        .orElseGet(
            () ->
                budget.inRounds(
                    LEAST_HUTCH_PLUS_PLUS, matvecs -> hutchPlusPlus(operator, matvecs, sampler)));
  }

  private static Estimate hutchPlusPlus(LinearOperator operator, int matvecs, Sampler sampler) {
    long size = operator.domain().count();
    int sketch = (int) Math.min(matvecs / 3, size);
    try (Deflation leading = Deflation.of(operator, sketch, sampler.rng().split(1))) {
      double onBasis = Arrays.stream(forms(operator, leading.basis())).sum();
      Sampling.finite(operator, onBasis);
      if (sketch == size) {
        return Estimate.exact(onBasis, 2L * sketch);
      }
      Estimate rest =
          Sampling.of(operator, sampler.split(2), Budget.of(matvecs - 2 * sketch))
              .estimate(
                  probes -> {
                    leading.project(1, probes);
                    return new double[][] {forms(operator, probes)};
                  },
                  Statistic.MEAN);
      return new Estimate(onBasis + rest.value(), rest.standardError(), matvecs, sampler.seed());
    }
  }

  /**
   * XTrace (Epperly, Tropp, Webber 2024): Hutch++ with every test vector used for both parts. Of
   * m/2 vectors, each in turn is left out of the sketch and probes what the others do not reach;
   * the mean of the m/2 estimates is unbiased, and their spread is the standard error. Best where
   * the spectrum decays.
   *
   * @param matvecs products to spend, at least 4; one of an odd number is left over
   */
  public static Estimate xTrace(LinearOperator operator, int matvecs, RngState rng) {
    requireProducts(operator, matvecs, LEAST_XTRACE);
    return xTrace(operator, new Sampler(ProbeDistribution.SPHERE, rng), Budget.of(matvecs));
  }

  /** XTrace with other probes or another end; at least 4 products. */
  public static Estimate xTrace(LinearOperator operator, Sampler sampler, Budget budget) {
    requireProducts(operator, sampler, budget, LEAST_XTRACE);
    return known(operator)
        .orElseGet(
            () ->
                budget.inRounds(
                    LEAST_XTRACE, matvecs -> XTrace.of(operator, matvecs / 2, sampler)));
  }

  /**
   * XNysTrace (Epperly, Tropp, Webber 2024) for positive semidefinite operators: as XTrace, with a
   * Nyström approximation from the products with the test vectors alone, so that every product is a
   * test vector. The most exact of all where it applies.
   *
   * @param matvecs products to spend, at least 2
   * @throws IllegalArgumentException if the operator is not known to be self-adjoint
   * @throws org.kpflow.base.NumericalException if it turns out not to be positive semidefinite;
   *     that may go unnoticed
   */
  public static Estimate xNysTrace(LinearOperator operator, int matvecs, RngState rng) {
    requireProducts(operator, matvecs, LEAST_XNYSTRACE);
    return xNysTrace(operator, new Sampler(ProbeDistribution.SPHERE, rng), Budget.of(matvecs));
  }

  /** XNysTrace with other probes or another end; at least 2 products. */
  public static Estimate xNysTrace(LinearOperator operator, Sampler sampler, Budget budget) {
    requireProducts(operator, sampler, budget, LEAST_XNYSTRACE);
    Checks.that(
        operator.isSelfAdjoint(),
        "operator %s: expected a self-adjoint, positive semidefinite one",
        operator);
    return known(operator)
        .orElseGet(
            () ->
                budget.inRounds(
                    LEAST_XNYSTRACE, matvecs -> XNysTrace.of(operator, matvecs, sampler)));
  }

  /** The trace, if the operator knows it. */
  private static Optional<Estimate> known(LinearOperator operator) {
    OptionalDouble trace = operator.knownTrace();
    if (trace.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(Estimate.exact(Sampling.finite(operator, trace.getAsDouble())[0]));
  }

  /** ⟨x, A x⟩ of a block: ||F* x||² where A = F F*. */
  static double[] forms(LinearOperator operator, Tensor block) {
    Optional<LinearOperator> factor = operator.gramFactor();
    int count = (int) block.shape().size(0);
    int step =
        Sampling.blockSize(operator, count); // what becomes of a sketch may be larger than it
    double[] forms = new double[count];
    for (int first = 0; first < count; first += step) {
      Tensor x = block.slice(first, Math.min(step, count - first));
      try (Tensor image = factor.isPresent() ? factor.get().rmatmat(x) : operator.matmat(x)) {
        double[] part = TensorMath.dots(operator.context(), factor.isPresent() ? image : x, image);
        System.arraycopy(part, 0, forms, first, part.length);
      }
    }
    return forms;
  }

  private static void requireProducts(LinearOperator operator, int matvecs, int least) {
    Sampling.requireSquare(operator);
    Checks.that(matvecs >= least, "matvecs: expected at least %d, got %d", least, matvecs);
  }

  private static void requireProducts(
      LinearOperator operator, Sampler sampler, Budget budget, int least) {
    Sampling.requireSquare(operator);
    Checks.notNull(sampler, "sampler");
    Checks.notNull(budget, "budget").require(least, operator.dtype());
  }
}
