package org.kpflow.analysis;

import java.util.Map;
import org.kpflow.base.Estimate;

/**
 * One operator of an analysis.
 *
 * @param name NTK, core (V Vᵀ ⊗ I) or PPt (P P*)
 * @param eigenvalues the leading ones of the operator itself, descending; empty where they were not
 *     computed
 * @param residuals ||A v - λ v|| of each
 * @param matvecs products spent on them
 * @param trace of the operator itself
 * @param frobenius norm of the operator itself
 * @param views by the views' names
 */
public record OperatorReport(
    String name,
    double[] eigenvalues,
    double[] residuals,
    long matvecs,
    Estimate trace,
    Estimate frobenius,
    Map<String, ViewReport> views) {}
