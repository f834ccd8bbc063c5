package org.kpflow.analysis;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Estimate;

/**
 * One checkpoint of a series: the numbers of its analysis that are followed over training. Numbers
 * that were not computed are NaN, null or empty.
 *
 * @param name of the weights without extension, and of the checkpoint's folder
 * @param weights where they were read
 * @param step the last number in the name, or null
 * @param report the checkpoint's report.html beside the series, or null if it failed
 * @param failure why it has no report, or null
 * @param partial whether an iteration of its analysis ended early
 * @param loss mean squared error
 * @param lossDecrease <NTK err, err>
 * @param traces of the whole operators, by their names
 * @param largestEigenvalue λ_1 of the NTK
 * @param residual ||A v - λ_1 v||
 * @param matvecs products spent on all leading eigenvalues
 * @param participationRatios by operator and view
 * @param cosNtkCore cos(NTK, V Vᵀ ⊗ I_n)
 * @param cosTemporal the cosine of the temporal views
 * @param targetModes how the target's modes lie to the NTK
 * @param temporalOverlap (1/m) ||Uᵀ U'||² of the leading m temporal modes of this checkpoint and of
 *     the one before: 1 for the same space
 * @param overlapModes m: as many as carry 95 % of the trace at both, of those that were computed
 * @param largestLyapunov mean over trials
 * @param largestSingularValue σ_max(P)
 * @param conditionNumber of P
 * @param meanObjectiveCosine of different objectives
 * @param warnings of its analysis
 * @param seconds of its analysis
 */
public record CheckpointReport(
    String name,
    String weights,
    Long step,
    String report,
    String failure,
    boolean partial,
    double loss,
    double lossDecrease,
    Map<String, Estimate> traces,
    double largestEigenvalue,
    double residual,
    long matvecs,
    Map<String, Map<String, Estimate>> participationRatios,
    Estimate cosNtkCore,
    Estimate cosTemporal,
    List<TargetReport.Mode> targetModes,
    double temporalOverlap,
    int overlapModes,
    Estimate largestLyapunov,
    double largestSingularValue,
    double conditionNumber,
    double meanObjectiveCosine,
    List<String> warnings,
    double seconds) {

  /** A checkpoint without an analysis. */
  static CheckpointReport failed(String name, String weights, Long step, String failure) {
    double unknown = Double.NaN;
    return new CheckpointReport(
        name, weights, step, null, failure, true, unknown, unknown, Map.of(), unknown, unknown, 0,
        Map.of(), null, null, List.of(), unknown, 0, null, unknown, unknown, unknown, List.of(),
        unknown);
  }
}
