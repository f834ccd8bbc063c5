package org.kpflow.analysis;

import java.util.List;
import java.util.Map;

/**
 * How the targets lie to the NTK.
 *
 * @param loss mean squared error over the entries of the steps that count
 * @param countedSteps steps that count, of all trials: all that are kept, without a mask
 * @param lossDecrease <NTK err, err>: how fast a unit gradient step lowers the loss (Corollary 2)
 * @param lossDecreaseByFamily the terms of that sum, ||V_iᵀ P_core,i* err||², by weight family
 * @param errorRayleigh lossDecrease / <err, err>
 * @param modes the singular modes of the target matrix [B T, n_out], in which steps that do not
 *     count are 0
 */
public record TargetReport(
    double loss,
    long countedSteps,
    double lossDecrease,
    Map<String, Double> lossDecreaseByFamily,
    double errorRayleigh,
    List<Mode> modes) {

  /**
   * One singular mode of the target, lifted to the state through the read-out.
   *
   * @param singularValue its weight in the target
   * @param share its part of ||target||²
   * @param rayleigh <u, NTK u> / ||u||²
   * @param relativeRayleigh the same over the largest eigenvalue of the NTK: 1 is the direction
   *     learned fastest
   * @param temporalShare part of the mode inside the span of the leading temporal modes of the NTK
   * @param stateShare part of the lifted mode inside the span of the NTK's leading eigenvectors;
   *     NaN where the read-out does not reach the mode
   */
  public record Mode(
      double singularValue,
      double share,
      double rayleigh,
      double relativeRayleigh,
      double temporalShare,
      double stateShare) {}
}
