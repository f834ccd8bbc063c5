package org.kpflow.analysis;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;

/**
 * The numbers of an analysis; arrays are beside it in {@link AnalysisResult}.
 *
 * @param sizes of what is analysed: B, T, n, k = B T, S = B T n and p
 * @param selection what that is of the state
 * @param method how views of the NTK were found: basis, factor, hybrid or sampled; null if they
 *     were not
 * @param columns of the factor that were taken exactly
 * @param samples weight perturbations used, 0 when exact
 * @param operators NTK, core and PPt; the later ones are missing from an analysis that was stopped
 * @param spectrum all non-zero eigenvalues of the NTK; null where they were not computed
 * @param cosNtkCore cos(NTK, V Vᵀ ⊗ I_n)
 * @param cosTemporal cosine of the NTK's temporal view with V Vᵀ; null without that view
 * @param target null without targets, or where the selection leaves out what the read-out reads
 * @param propagation P of the whole state in depth
 * @param objectives how objectives lie to each other; null without targets
 * @param warnings what limits the results
 * @param partial whether it was stopped, or an iteration ended, before all that was asked for was
 *     there; what is missing is null, NaN or absent
 */
public record AnalysisReport(
    String model,
    Map<String, Long> sizes,
    SelectionReport selection,
    String dtype,
    String method,
    long columns,
    long samples,
    long seed,
    int threads,
    List<OperatorReport> operators,
    SpectrumReport spectrum,
    Estimate cosNtkCore,
    Estimate cosTemporal,
    TargetReport target,
    PropagationReport propagation,
    ObjectiveReport objectives,
    List<String> warnings,
    boolean partial,
    double seconds) {

  /** The operator of a name: NTK, core or PPt; null if the analysis was stopped before it. */
  public OperatorReport operator(String name) {
    Checks.that(
        List.of("NTK", "core", "PPt").contains(name),
        "operator: expected NTK, core or PPt, got '%s'",
        name);
    return operators.stream()
        .filter(operator -> operator.name().equals(name))
        .findFirst()
        .orElse(null);
  }

  /** A view of an operator, or null where it was not computed. */
  public ViewReport view(String operator, String view) {
    OperatorReport found = operator(operator);
    return found == null ? null : found.views().get(view);
  }

  /** This report with more warnings. */
  AnalysisReport warning(List<String> more) {
    List<String> all = Stream.concat(warnings.stream(), more.stream()).toList();
    return new AnalysisReport(
        model,
        sizes,
        selection,
        dtype,
        method,
        columns,
        samples,
        seed,
        threads,
        operators,
        spectrum,
        cosNtkCore,
        cosTemporal,
        target,
        propagation,
        objectives,
        all,
        partial,
        seconds);
  }
}
