package org.kpflow.flow;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.TransitionChain;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * How far a perturbation at step s is felt: ||Φ(s + lag, s)||₂ of every trial.
 *
 * @param source s
 * @param lags ascending, s + lag within the trial
 * @param norms [lag, B]
 */
public record TransitionNorms(long source, long[] lags, double[][] norms) {
  private static final double TOLERANCE = 1e-6; // of the squared norm

  /**
   * The norms from one step on, by dense products of step Jacobians: O(B lag n³) operations for the
   * longest lag and three arrays [B, n, n]. Lags that reach beyond the last step are left out.
   *
   * @throws IllegalArgumentException if s is not one of 0 to T - 1, or lags are negative or not
   *     ascending
   */
  public static TransitionNorms of(Linearization linearization, long s, long... lags) {
    Checks.notNull(linearization, "linearization");
    Checks.notNull(lags, "lags");
    for (int i = 0; i < lags.length; i++) {
      Checks.that(
          lags[i] >= 0 && (i == 0 || lags[i] > lags[i - 1]),
          "lags: expected ascending numbers of at least 0, got %s",
          Arrays.toString(lags));
    }
    long[] within = Arrays.stream(lags).filter(lag -> lag < linearization.steps() - s).toArray();
    double[][] norms = new double[within.length][];
    try (TransitionChain chain = new TransitionChain(linearization, s)) {
      for (int i = 0; i < within.length; i++) {
        Tensor transitions = chain.advanceTo(s + within[i]);
        norms[i] = new double[(int) linearization.trials()];
        for (int b = 0; b < norms[i].length; b++) {
          norms[i][b] = norm(linearization.context(), transitions.slice(b));
        }
      }
    }
    return new TransitionNorms(s, within, norms);
  }

  /** ||M||₂ of a matrix [n, n]: the root of the largest eigenvalue of Mᵀ M. */
  private static double norm(ExecutionContext context, Tensor matrix) {
    double frobenius = TensorMath.norm(context, matrix);
    if (frobenius == 0 || !Double.isFinite(frobenius)) {
      return frobenius;
    }
    // Scaled to norm 1: the squares of small entries would underflow.
    try (Tensor scaled = matrix.to(DType.F64)) {
      try (Tensor raw = scaled.copy()) {
        TensorMath.axpby(context, 1 / frobenius, raw, 0, scaled);
      }
      LanczosOptions options = LanczosOptions.largest(1).tolerance(TOLERANCE);
      try (EigenPairs pairs = Eigsh.solve(MatrixOperator.of(context, scaled).gram(), options)) {
        return frobenius * Math.sqrt(pairs.values()[0]);
      } catch (NoConvergenceException clustered) {
        clustered.partial().close();
        return frobenius * DenseEigen.singularValues(scaled)[0];
      }
    }
  }
}
