package org.kpflow.analysis;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Estimate;

/**
 * The numbers of an analysis; arrays are beside it in {@link AnalysisResult}.
 *
 * @param sizes B, T, n, k = B T, S = B T n and p
 * @param method how views were found: basis or sampled
 * @param samples weight perturbations used, 0 when exact
 * @param operators NTK, core and PPt
 * @param cosNtkCore cos(NTK, V Vᵀ ⊗ I_n)
 * @param cosTemporal cosine of the NTK's temporal view with V Vᵀ; null without that view
 * @param target null without targets
 * @param propagation P in depth
 * @param objectives how objectives lie to each other; null without targets
 * @param warnings what limits the results
 * @param partial whether an iteration ended before all that was asked for had converged
 */
public record AnalysisReport(
    String model,
    Map<String, Long> sizes,
    String dtype,
    String method,
    long samples,
    long seed,
    int threads,
    List<OperatorReport> operators,
    Estimate cosNtkCore,
    Estimate cosTemporal,
    TargetReport target,
    PropagationReport propagation,
    ObjectiveReport objectives,
    List<String> warnings,
    boolean partial,
    double seconds) {

  /** The operator of a name. */
  public OperatorReport operator(String name) {
    return operators.stream()
        .filter(operator -> operator.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "operator: expected NTK, core or PPt, got '" + name + "'"));
  }
}
