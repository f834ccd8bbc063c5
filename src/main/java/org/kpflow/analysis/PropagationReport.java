package org.kpflow.analysis;

import java.util.List;
import org.kpflow.base.Estimate;

/**
 * P of the whole state in depth: how far perturbations grow and how long they last.
 *
 * @param largest σ_max(P), from P P*
 * @param smallest σ_min(P) = 1 / σ_max(P⁻¹)
 * @param conditionNumber σ_max / σ_min
 * @param conditionNumberError its error bound, from those of the two
 * @param stepsThroughTime whether the model does, as recurrent ones do; else there are no exponents
 *     and no transitions
 * @param lyapunov null where none were asked for or there are none
 * @param transitions ||Φ(s + lag, s)||₂ from some steps s on; empty where there are none
 */
public record PropagationReport(
    SingularValue largest,
    SingularValue smallest,
    double conditionNumber,
    double conditionNumberError,
    boolean stepsThroughTime,
    Lyapunov lyapunov,
    List<Transitions> transitions) {

  /**
   * Finite-time Lyapunov exponents per step of the inputs, sorted in every trial. A mean is
   * -infinity where a trial's exponent is, and its error is NaN; report.json has null for both.
   *
   * @param units n, the number of exponents there are
   * @param mean the i-th largest exponent, mean over trials
   * @param standardErrors of the means, over trials; NaN for one trial
   * @param largest the first of these
   * @param kaplanYorkeDimension mean over trials; NaN where the exponents at hand do not settle it
   * @param minusInfinities exponents that are -infinity, over all trials
   * @param smallestDiagonal the smallest |R_ii| met
   */
  public record Lyapunov(
      long units,
      double[] mean,
      double[] standardErrors,
      Estimate largest,
      Estimate kaplanYorkeDimension,
      long minusInfinities,
      double smallestDiagonal) {}

  /**
   * Norms of the state transitions from one step on; steps are those of the inputs, after each of
   * which the state is the last of {@code Linearization.stepsPerInput}.
   *
   * @param source s
   * @param trials how many trials were looked at, evenly spread
   * @param lags t - s
   * @param mean ||Φ(s + lag, s)||₂, mean over these trials
   * @param standardErrors over these trials; NaN for one trial
   */
  public record Transitions(
      long source, long trials, long[] lags, double[] mean, double[] standardErrors) {}
}
