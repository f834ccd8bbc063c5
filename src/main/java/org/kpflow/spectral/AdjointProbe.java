package org.kpflow.spectral;

import org.kpflow.base.CancelledException;
import org.kpflow.base.Checks;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A cheap test of what the solvers rely on, ⟨x, A* y⟩ = ⟨A x, y⟩, with one pair of Gaussian
 * vectors. For independent x, both sides are of the order ‖x‖ ‖A* y‖ / √n, so their difference over
 * that is of order 1 where A* is anything else, and of the order of rounding where it is right.
 */
final class AdjointProbe {
  /** Products that a probe costs. */
  static final int MATVECS = 2;

  private static final double ROUNDINGS = 100;
  private static final double MOST = 0.1;

  private AdjointProbe() {}

  /**
   * Refuses an operator that is not what it claims, for a solver whose name the message begins
   * with. A self-adjoint operator is applied to one block of two vectors, another and its adjoint
   * to one vector each. Returns the number of products.
   *
   * @throws IllegalArgumentException if the two sides differ by more than rounding
   * @throws NumericalException if a product is infinite or not a number
   */
  static int check(String solver, LinearOperator operator, RngState rng) {
    stopIfInterrupted();
    Sides sides = operator.isSelfAdjoint() ? ofBlock(operator, rng) : ofBoth(operator, rng);
    requireFinite(solver, operator, sides.forward + sides.backward);
    double scale = sides.scale / Math.sqrt(operator.domain().count());
    double found = scale == 0 ? 0 : Math.abs(sides.forward - sides.backward) / scale;
    double allowed = allowed(operator);
    Checks.that(
        found <= allowed,
        "%s on %s: expected %s, got <x, A y> and <A* x, y> that differ by %.3g of their size (%.3g"
            + " allowed for rounding) for random x, y",
        solver,
        operator,
        operator.isSelfAdjoint()
            ? "an operator that is self-adjoint, as this one claims to be (else its symmetricPart())"
            : "an adjoint that belongs to the operator",
        found,
        allowed);
    return MATVECS;
  }

  /** What is taken for rounding: 100 ε √n, at least √ε, since products round inside too. */
  private static double allowed(LinearOperator operator) {
    double epsilon = operator.dtype().epsilon();
    double grown = ROUNDINGS * epsilon * Math.sqrt(operator.domain().count());
    return Math.min(MOST, Math.max(Math.sqrt(epsilon), grown));
  }

  /** Refuses numbers that are no more numbers, in one line. */
  static void requireFinite(String solver, LinearOperator operator, double value) {
    if (!Double.isFinite(value)) {
      throw new NumericalException(
          solver
              + " on "
              + operator
              + ": a product with the operator is infinite or not a number; is its input finite, and"
              + " does it overflow "
              + operator.dtype()
              + "?");
    }
  }

  /** Between products: native calls stop by themselves, an operator in Java may make none. */
  static void stopIfInterrupted() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException("cancelled: the thread was interrupted");
    }
  }

  private record Sides(double forward, double backward, double scale) {}

  private static Sides ofBlock(LinearOperator operator, RngState rng) {
    Shape block = operator.domain().block(2);
    try (Tensor probes = operator.zeros(block);
        Tensor products = operator.zeros(block)) {
      rng.fill(operator.context(), RngState.Distribution.GAUSSIAN, probes);
      operator.matmat(probes, products);
      return sides(
          operator, probes.slice(0), products.slice(1), products.slice(0), probes.slice(1));
    }
  }

  private static Sides ofBoth(LinearOperator operator, RngState rng) {
    try (Tensor x = operator.zeros(operator.domain());
        Tensor y = operator.zeros(operator.range())) {
      RngState next = rng.fill(operator.context(), RngState.Distribution.GAUSSIAN, x);
      next.fill(operator.context(), RngState.Distribution.GAUSSIAN, y);
      try (Tensor forward = operator.matvec(x);
          Tensor backward = operator.rmatvec(y)) {
        return sides(operator, x, backward, forward, y);
      }
    }
  }

  /** ⟨x, A* y⟩ and ⟨A x, y⟩ with the larger of the products of norms. */
  private static Sides sides(
      LinearOperator operator, Tensor x, Tensor adjointOfY, Tensor imageOfX, Tensor y) {
    double first = norm(operator, x) * norm(operator, adjointOfY);
    double second = norm(operator, imageOfX) * norm(operator, y);
    return new Sides(
        TensorMath.dot(operator.context(), x, adjointOfY),
        TensorMath.dot(operator.context(), imageOfX, y),
        Math.max(first, second));
  }

  private static double norm(LinearOperator operator, Tensor x) {
    return TensorMath.norm(operator.context(), x);
  }
}
