package org.kpflow.estimate;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Partial traces of a square operator without sweeping the basis of the traced axes: with random
 * signs z on these alone, E (I ⊗ z)ᵀ A (I ⊗ z) = tr A over them, with noise from the blocks between
 * different u ≠ v of the traced axes only. With deflation, the part of A in a sketched range Q of r
 * dimensions is exact, and probes see the rest (I - P) A (I - P), P = Q* Q, as in Hutch++; both
 * forms are unbiased. {@link LinearOperator#partialTrace} is exact, for as many products as the
 * traced axes have elements.
 */
public final class PartialTraceEstimator {
  private static final int FIRST_ROUND = 4;

  private PartialTraceEstimator() {}

  /**
   * The partial trace as a matrix [κ, κ] with its error; κ products per probe.
   *
   * @param axes the traced axes
   * @param deflation dimension r of the sketched range, 0 for none; takes 2 r products, 3 r where A
   *     is not self-adjoint
   * @param budget at least what the sketch and two probes take; a target is held against the error
   *     of the whole matrix over its norm
   * @throws IllegalArgumentException as {@link LinearOperator#partialTrace}, or for numbers out of
   *     range
   * @throws org.kpflow.base.NumericalException where products overflow
   * @throws UnsupportedOperationException if it is deflated and has no adjoint
   */
  public static MatrixEstimate matrix(
      LinearOperator operator, int[] axes, int deflation, Budget budget, RngState rng) {
    AxisOrder order = order(operator, axes, deflation, rng);
    long spent = sketchProducts(operator, deflation);
    long least = Math.addExact(spent, 2 * order.kept());
    Checks.notNull(budget, "budget").require(least, operator.dtype());
    Checks.that(order.kept() > 0, "partialTrace: the kept axes have no elements");
    int most = (int) ((budget.matvecs() - spent) / order.kept());
    Sampler sampler = sampler(rng);
    if (deflation == 0) {
      TracedProbes probes = new TracedProbes(operator, order, sampler, null);
      return new Sums(operator, order, probes, null).estimate(budget, most, spent, rng.seed());
    }
    try (Deflation leading = Deflation.of(operator, deflation, rng.split(1));
        LeadingPart exact = LeadingPart.of(operator, order, leading)) {
      TracedProbes probes = new TracedProbes(operator, order, sampler, leading);
      return new Sums(operator, order, probes, exact).estimate(budget, most, spent, rng.seed());
    }
  }

  /**
   * The partial trace as an operator on the kept axes that is never formed.
   *
   * @param axes the traced axes
   * @param deflation dimension r of the sketched range, 0 for none; 2 r or 3 r products, here
   * @param probes products of A for one of the result, at least 1
   * @throws IllegalArgumentException as {@link #matrix}
   */
  public static SampledPartialTrace operator(
      LinearOperator operator, int[] axes, int deflation, int probes, RngState rng) {
    AxisOrder order = order(operator, axes, deflation, rng);
    Checks.that(probes >= 1, "probes: expected at least 1, got %d", probes);
    Shape kept = operator.partialTrace(axes).domain();
    String name = Arrays.toString(Arrays.stream(axes).sorted().toArray());
    Deflation leading = null;
    try {
      LeadingPart exact = null;
      if (deflation > 0) {
        leading = Deflation.of(operator, deflation, rng.split(1));
        exact = LeadingPart.of(operator, order, leading);
      }
      TracedProbes rest = new TracedProbes(operator, order, sampler(rng), leading);
      return new SampledPartialTrace(
          operator, kept, name, rest, leading, exact, probes, rng.seed());
    } catch (RuntimeException | Error failure) {
      if (leading != null) {
        leading.close();
      }
      throw failure;
    }
  }

  private static Sampler sampler(RngState rng) {
    return new Sampler(ProbeDistribution.RADEMACHER, rng.split(2));
  }

  private static long sketchProducts(LinearOperator operator, int deflation) {
    return (operator.isSelfAdjoint() ? 2L : 3L) * deflation;
  }

  private static AxisOrder order(LinearOperator operator, int[] axes, int deflation, RngState rng) {
    Sampling.requireSquare(operator);
    Checks.notNull(axes, "axes");
    operator.partialTrace(axes); // checks the axes
    Checks.range("deflation", deflation, 0, operator.domain().count());
    Checks.notNull(rng, "rng");
    return new AxisOrder(operator.domain(), axes);
  }

  /** Σ_i M_i and Σ_i ||M_i||_F² over probes i. */
  private static final class Sums {
    private final LinearOperator operator;
    private final AxisOrder order;
    private final TracedProbes probes;
    private final LeadingPart exact; // null without deflation
    private double squares;

    Sums(LinearOperator operator, AxisOrder order, TracedProbes probes, LeadingPart exact) {
      this.operator = operator;
      this.order = order;
      this.probes = probes;
      this.exact = exact;
    }

    MatrixEstimate estimate(Budget budget, int most, long spent, long seed) {
      long kept = order.kept();
      int count = budget.hasTarget() ? Math.min(most, FIRST_ROUND) : most;
      try (Tensor sums = operator.context().zeros(DType.F64, kept, kept);
          Tensor leading = exactPart()) {
        for (int done = 0; ; count = (int) Math.min(most, 2L * count)) {
          add(done, count, sums);
          done = count;
          double ofMean = TensorMath.dot(operator.context(), sums, sums) / count;
          double variance = Math.max(squares - ofMean, 0) / count / (count - 1.0);
          Tensor value = leading.copy();
          TensorMath.axpby(operator.context(), 1.0 / count, sums, 1, value);
          double norm = TensorMath.norm(operator.context(), value);
          Estimate estimate = new Estimate(norm, Math.sqrt(variance), spent + count * kept, seed);
          if (count == most || budget.isMet(estimate)) {
            return checked(new MatrixEstimate(value, estimate));
          }
          value.close();
        }
      }
    }

    private MatrixEstimate checked(MatrixEstimate estimate) {
      try {
        Sampling.finite(operator, estimate.norm().value(), estimate.standardError());
        return estimate;
      } catch (RuntimeException failure) {
        estimate.close();
        throw failure;
      }
    }

    private Tensor exactPart() {
      try (Tensor part = operator.zeros(order.kept(), order.kept())) {
        if (exact != null) {
          exact.form(part);
        }
        return part.to(DType.F64);
      }
    }

    /** Adds the M_i of the probes {@code from} to {@code to - 1}; unit vector j gives column j. */
    private void add(int from, int to, Tensor sums) {
      long kept = order.kept();
      long chunk = Math.min(kept, probes.blockRows());
      Tensor flat = sums.reshape(Shape.of(kept * kept));
      try (Tensor units = operator.zeros(chunk, kept)) {
        for (long start = 0; start < kept; start += chunk) {
          long length = Math.min(chunk, kept - start);
          long offset = start;
          setDiagonal(units, offset, length, 1);
          probes.visit(
              false,
              units.slice(0, length),
              from,
              to,
              (first, rows) -> {
                squares += TensorMath.dot(operator.context(), rows, rows);
                long column = offset + first;
                TensorMath.strided(
                    new long[] {rows.shape().size(0), kept},
                    1,
                    rows,
                    new long[] {kept, 1},
                    1,
                    flat.slice(column, kept * kept - column),
                    new long[] {1, kept});
              });
          setDiagonal(units, offset, length, 0);
        }
      }
    }

    /** units[a, offset + a] = value. */
    private static void setDiagonal(Tensor units, long offset, long length, double value) {
      Tensor corner = units.reshape(Shape.of(units.count())).slice(offset, units.count() - offset);
      long[] diagonal = {units.shape().size(1) + 1};
      TensorMath.fill(new long[] {length}, value, corner, diagonal);
    }
  }
}
