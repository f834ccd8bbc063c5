package org.kpflow.estimate;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The diagonal of a square operator from its products (Bekas, Kokiopoulou, Saad 2007): E z ⊙ A z =
 * diag A for random signs z. The variance of entry i is Σ_{j≠i} A_ij². With deflation, the part in
 * a sketched range Q is exact:
 *
 * <pre>
 *   diag A = Σ_j q_j ⊙ A q_j   (diagonal of A P, P = Q Q*)   +   E z ⊙ A (I - P) z
 * </pre>
 */
public final class DiagonalEstimator {
  private DiagonalEstimator() {}

  /**
   * The diagonal without deflation.
   *
   * @param matvecs products to spend, at least 2
   */
  public static TensorEstimate diagonal(LinearOperator operator, int matvecs, RngState rng) {
    Checks.that(matvecs >= 2, "matvecs: expected at least 2, got %d", matvecs);
    return diagonal(operator, 0, Budget.of(matvecs), rng);
  }

  /**
   * The diagonal, [domain] in f64, with a standard error for every entry. Errors below 3e-8 of the
   * root mean square of an entry's samples cannot be told from rounding and are given as that. A
   * target of the budget is held against the norms of all errors and all values.
   *
   * @param deflation dimension r of the sketched range, 0 for none; takes 2 r products
   * @param budget at least 2 r + 2 products
   * @throws IllegalArgumentException if the operator is not square or numbers are out of range
   * @throws org.kpflow.base.NumericalException where products overflow
   * @throws UnsupportedOperationException if it is deflated and has no adjoint
   */
  public static TensorEstimate diagonal(
      LinearOperator operator, int deflation, Budget budget, RngState rng) {
    Sampling.requireSquare(operator);
    Checks.notNull(rng, "rng");
    long size = operator.domain().count();
    Checks.range("deflation", deflation, 0, size);
    Checks.notNull(budget, "budget").require(2L * deflation + 2, operator.dtype());
    Sampler sampler = new Sampler(ProbeDistribution.RADEMACHER, rng.split(2));
    if (deflation == 0) {
      return new Sums(operator, null, new double[size(operator)]).estimate(budget, sampler, rng);
    }
    // A (I - P) is small where Q spans the range of A*
    try (Deflation leading = Deflation.of(operator.adjoint(), deflation, rng.split(1));
        Tensor images = operator.matmat(leading.basis())) {
      double[] exact = columnDots(operator, leading.basis(), images);
      return new Sums(operator, leading, exact).estimate(budget, sampler, rng);
    }
  }

  private static int size(LinearOperator operator) {
    long size = operator.domain().count();
    Checks.that(
        size <= Integer.MAX_VALUE - 8, "operator: %d entries are too many for a diagonal", size);
    return (int) size;
  }

  /** Σ_s x[s, i] y[s, i] for every i, in f64. */
  private static double[] columnDots(LinearOperator operator, Tensor x, Tensor y) {
    try (Tensor left = transposed(x);
        Tensor right = transposed(y)) {
      return Sampling.finite(operator, TensorMath.dots(operator.context(), left, right));
    }
  }

  private static Tensor transposed(Tensor block) {
    long s = block.shape().size(0);
    long n = block.shape().tail().count();
    Tensor out = Tensor.zeros(block.device(), block.dtype(), Shape.of(n, s));
    TensorMath.strided(new long[] {n, s}, 1, block, new long[] {1, n}, 0, out, new long[] {s, 1});
    return out;
  }

  /** The exact part, and Σ z ⊙ y and Σ y² over probes for every entry, y = A (I - P) z. */
  private static final class Sums {
    private static final int FIRST_ROUND = 16;

    private final LinearOperator operator;
    private final Deflation leading; // null for none
    private final double[] exact;
    private final double[] products;
    private final double[] squares;

    Sums(LinearOperator operator, Deflation leading, double[] exact) {
      this.operator = operator;
      this.leading = leading;
      this.exact = exact;
      this.products = new double[exact.length];
      this.squares = new double[exact.length];
    }

    TensorEstimate estimate(Budget budget, Sampler sampler, RngState rng) {
      int spent = leading == null ? 0 : 2 * (int) leading.basis().shape().size(0);
      int most = budget.matvecs() - spent;
      int count = budget.hasTarget() ? Math.min(most, FIRST_ROUND) : most;
      for (int done = 0; ; count = (int) Math.min(most, 2L * count)) {
        add(sampler, done, count);
        done = count;
        double[] values = new double[exact.length];
        double[] errors = new double[exact.length];
        Estimate whole = read(count, values, errors);
        if (count == most || budget.isMet(whole)) {
          Shape shape = operator.domain();
          return new TensorEstimate(
              Tensor.of(shape, values), Tensor.of(shape, errors), spent + count, rng.seed());
        }
      }
    }

    private void add(Sampler sampler, int from, int to) {
      int block = Sampling.blockSize(operator, to - from);
      try (Tensor signs = operator.zeros(operator.domain().block(block));
          Tensor inputs = operator.zeros(operator.domain().block(block))) {
        for (int first = from; first < to; first += block) {
          Sampling.stopIfInterrupted();
          long length = Math.min(block, to - first);
          Tensor z = signs.slice(0, length);
          Tensor input = inputs.slice(0, length);
          sampler.fill(operator.context(), first, z);
          input.copyFrom(z);
          if (leading != null) {
            leading.project(1, input);
          }
          try (Tensor images = operator.matmat(input)) {
            addTo(products, columnDots(operator, z, images));
            addTo(squares, columnDots(operator, images, images));
          }
        }
      }
    }

    private static void addTo(double[] sums, double[] terms) {
      for (int i = 0; i < sums.length; i++) {
        sums[i] += terms[i];
      }
    }

    /**
     * exact + mean, with the standard error of the mean; z² = 1, so (z y)² = y². Returns the norms
     * of both.
     */
    private Estimate read(double count, double[] values, double[] errors) {
      double valueSquares = 0;
      double errorSquares = 0;
      for (int i = 0; i < values.length; i++) {
        double mean = products[i] / count;
        double meanSquare = squares[i] / count;
        double variance = Math.max(meanSquare - mean * mean, 4 * DType.F64.epsilon() * meanSquare);
        values[i] = exact[i] + mean;
        errors[i] = Math.sqrt(variance / (count - 1));
        valueSquares += values[i] * values[i];
        errorSquares += variance / (count - 1);
      }
      return new Estimate(Math.sqrt(valueSquares), Math.sqrt(errorSquares), 0);
    }
  }
}
