package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;

/**
 * A way to some eigenpairs of self-adjoint operators, with its options. The same pairs come out of
 * all of them; what differs is the cost:
 *
 * <ul>
 *   <li>{@link Eigsh}, implicitly restarted Lanczos with single vectors: the fewest products;
 *   <li>{@link BlockKrylov}, thick-restarted block Lanczos: somewhat more products, but in blocks,
 *       which cost less each; sees repeated eigenvalues;
 *   <li>{@link SubspaceIteration}, randomized: the fewest passes, for a few digits of a spectrum
 *       that decays fast.
 * </ul>
 */
@FunctionalInterface
public interface Eigensolver {
  /** Up to so many modes, {@link #forModes} chooses single vectors. */
  int MOST_SINGLE_MODES = 24;

  /**
   * The eigenpairs, values descending, each with its residual ‖A v - λ v‖.
   *
   * @throws IllegalArgumentException if the operator is not self-adjoint, is found not to be, or
   *     has fewer modes than are asked for
   * @throws NoConvergenceException with the pairs that converged, if not all did
   * @throws org.kpflow.base.NumericalException if a product is infinite or not a number
   * @throws org.kpflow.base.MemoryException if the basis does not fit into memory
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  EigenPairs solve(LinearOperator operator);

  /** By ARPACK. */
  static Eigensolver of(LanczosOptions options) {
    Checks.notNull(options, "options");
    return operator -> Eigsh.solve(operator, options);
  }

  /** By block Lanczos. */
  static Eigensolver of(BlockKrylovOptions options) {
    Checks.notNull(options, "options");
    return operator -> BlockKrylov.solve(operator, options);
  }

  /** By randomized subspace iteration. */
  static Eigensolver of(SubspaceOptions options) {
    Checks.notNull(options, "options");
    return operator -> SubspaceIteration.solve(operator, options);
  }

  /**
   * The solver for so many of the largest eigenvalues: single vectors up to {@value
   * #MOST_SINGLE_MODES}, blocks beyond.
   *
   * @param tolerance accuracy relative to each eigenvalue, at least the precision of the operator's
   *     type
   */
  static Eigensolver forModes(int modes, double tolerance, RngState rng) {
    if (modes <= MOST_SINGLE_MODES) {
      LanczosOptions single = LanczosOptions.largest(modes).tolerance(tolerance);
      return of(
          new LanczosOptions(
              modes, single.which(), 0, tolerance, single.maxIterations(), rng, null));
    }
    return of(BlockKrylovOptions.largest(modes).tolerance(tolerance).rng(rng));
  }
}
