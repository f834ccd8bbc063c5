package org.kpflow.spectral;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The eigenpairs of largest magnitude of a self-adjoint operator by randomized subspace iteration
 * (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.3), the self-adjoint case of the randomized
 * SVD. From p = modes + oversampling random vectors Q, a pass is
 *
 * <pre>Z = A Q     Q Zᵀ = Yᵀ Θ Y     (θ, y Q) with residuals ‖y Z - θ y Q‖     Q = orth(Z)</pre>
 *
 * so convergence is seen at no further cost. The operator is applied to all vectors at once; a few
 * passes are enough where the spectrum decays fast and a few digits will do.
 */
public final class SubspaceIteration {
  private static final String NAME = "subspace iteration";
  private static final double ROUNDING = 10; // times ε ‖A‖: what products bring into a residual
  private static final int MOST = 16_000; // LAPACK's eigenvectors of Q Zᵀ end there

  private SubspaceIteration() {}

  /**
   * The eigenpairs of largest magnitude, values descending. For a positive semidefinite operator
   * these are the largest. Operators that are too small for the vectors asked for are solved
   * densely.
   *
   * @throws IllegalArgumentException if the operator is not self-adjoint, or found not to be by a
   *     probe (operators of the engine are not probed), if more modes are asked for than it has, or
   *     if the tolerance is below the precision of its type
   * @throws NoConvergenceException with the pairs that converged, if not all did
   * @throws org.kpflow.base.NumericalException if a product is infinite or not a number
   * @throws org.kpflow.base.MemoryException if the vectors do not fit into memory
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static EigenPairs solve(LinearOperator operator, SubspaceOptions options) {
    Checks.notNull(options, "options");
    Eigsh.requireModes(operator, options.modes());
    BlockKrylov.requireTolerance(operator, options.tolerance());
    BlockKrylov.requireStart(operator, options.start());
    long size = operator.domain().count();
    long vectors = (long) options.modes() + options.oversampling();
    boolean dense = Eigsh.isSmall(size, options.modes()) || vectors > size;
    if (!dense) {
      Checks.that(
          vectors <= MOST, "modes and oversampling: expected at most %d, got %d", MOST, vectors);
      KrylovBasis.requireMemory(NAME, operator, 2 * vectors + 1 + options.modes());
    }
    int probed = Eigsh.probe(NAME, operator, options.rng());
    if (dense) {
      return Eigsh.dense(operator, options.modes(), Which.LM, probed);
    }
    int p = (int) vectors;
    try (KrylovBasis rows =
        new KrylovBasis(NAME, operator, 2L * p + 1, options.modes(), options.rng())) {
      start(options, rows, p);
      return iterate(operator, options, rows, p, probed);
    }
  }

  private static void start(SubspaceOptions options, KrylovBasis rows, int p) {
    rows.randomize(0, p);
    if (options.start() != null) {
      int given = (int) Math.min(options.start().shape().size(0), p);
      Tensor first = options.start().slice(0, given);
      rows.block(0, given).copyFrom(first);
    }
    rows.orthonormalize(0, p, 0);
  }

  /** Q in the rows [0, p), Z in [p, 2 p), a residual at a time in the last. */
  private static EigenPairs iterate(
      LinearOperator operator, SubspaceOptions options, KrylovBasis rows, int p, int probed) {
    for (int pass = 1; ; pass++) {
      rows.multiply(0, p, p);
      rows.norms(p, p); // refuses what is not finite
      SmallMatrix.Eigen ritz =
          SmallMatrix.eigen(SmallMatrix.symmetrized(rows.products(0, p, p, p), p));
      rows.combine(0, p, ritz.vectors());
      rows.combine(p, p, ritz.vectors());
      int[] order =
          Arrays.stream(Eigsh.preferred(ritz.values(), Which.LM), 0, options.modes())
              .sorted()
              .toArray();
      double norm = Math.max(Math.abs(ritz.values()[0]), Math.abs(ritz.values()[p - 1]));
      double[] residuals = new double[order.length];
      int converged = 0;
      for (int i = 0; i < order.length; i++) {
        double value = ritz.values()[order[i]];
        residuals[i] = residual(operator, rows, p, order[i], value);
        double allowed =
            Math.max(
                options.tolerance() * Math.abs(value),
                ROUNDING * operator.dtype().epsilon() * norm);
        converged += residuals[i] <= allowed ? 1 : 0;
        order[i] = residuals[i] <= allowed ? order[i] : -1 - order[i];
      }
      if (converged == options.modes() || pass == options.maxPasses()) {
        return pairs(operator, options, rows, ritz.values(), order, residuals, probed, pass);
      }
      rows.move(p, 0, p);
      rows.orthonormalize(0, p, 2 * operator.dtype().epsilon() * norm);
    }
  }

  private static double residual(
      LinearOperator operator, KrylovBasis rows, int p, int row, double value) {
    Tensor residual = rows.rows(2 * p, 1);
    residual.copyFrom(rows.rows(p + row, 1));
    TensorMath.axpby(operator.context(), -value, rows.rows(row, 1), 1, residual);
    return rows.norms(2 * p, 1)[0];
  }

  /** The pairs whose place in {@code order} is not negative. */
  private static EigenPairs pairs(
      LinearOperator operator,
      SubspaceOptions options,
      KrylovBasis rows,
      double[] values,
      int[] order,
      double[] residuals,
      int probed,
      int passes) {
    int[] kept = Arrays.stream(order).filter(i -> i >= 0).toArray();
    Tensor vectors = operator.zeros(operator.domain().block(kept.length));
    double[] found = new double[kept.length];
    double[] norms = new double[kept.length];
    for (int i = 0, at = 0; i < order.length; i++) {
      if (order[i] >= 0) {
        found[at] = values[order[i]];
        norms[at] = residuals[i];
        vectors.slice(at++, 1).copyFrom(rows.block(order[i], 1));
      }
    }
    boolean complete = kept.length == options.modes();
    EigenPairs pairs =
        new EigenPairs(found, vectors, norms, rows.matvecs() + probed, passes, complete);
    if (!complete) {
      throw new NoConvergenceException(
          NAME
              + " on "
              + operator
              + ": "
              + kept.length
              + " of "
              + options.modes()
              + " eigenpairs converged in "
              + passes
              + " passes; raise maxPasses, oversampling or tolerance",
          pairs);
    }
    return pairs;
  }
}
