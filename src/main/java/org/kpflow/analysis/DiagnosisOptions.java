package org.kpflow.analysis;

import org.kpflow.base.Checks;
import org.kpflow.flow.StateRestriction;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * What an analysis does beyond spectra and views.
 *
 * @param exponents Lyapunov exponents per trial, at most n are taken; 0 for none
 * @param objectives how the task is cut into objectives; looked at where there are targets
 * @param start leading eigenvectors of a similar NTK [m, B, T, n] to start from, or null; it stays
 *     the caller's
 * @param keepEigenvectors whether the result holds the NTK's leading eigenvectors
 */
public record DiagnosisOptions(
    int exponents, Objectives objectives, Tensor start, boolean keepEigenvectors) {
  /** Lyapunov exponents unless told otherwise. */
  public static final int DEFAULT_EXPONENTS = 16;

  public DiagnosisOptions {
    Checks.that(exponents >= 0, "lyapunov: expected at least 0, got %d", exponents);
    Checks.notNull(objectives, "objectives");
  }

  /**
   * The sum of the vectors to start from, a new tensor, or null without any of this shape: Lanczos
   * takes one vector. A solver that takes a block can be given {@link #start} itself.
   */
  Tensor startVector(StateRestriction selected) {
    if (start == null
        || start.shape().size(0) == 0
        || !start.shape().tail().equals(selected.range())) {
      return null;
    }
    Tensor sum = start.slice(0).to(selected.device(), selected.dtype());
    for (long i = 1; i < start.shape().size(0); i++) {
      try (Tensor next = start.slice(i).to(selected.device(), selected.dtype())) {
        TensorMath.axpby(selected.context(), 1, next, 1, sum);
      }
    }
    return sum;
  }

  /** 16 exponents, output channels as objectives, no start. */
  public static DiagnosisOptions defaults() {
    return new DiagnosisOptions(DEFAULT_EXPONENTS, Objectives.outputs(), null, false);
  }
}
