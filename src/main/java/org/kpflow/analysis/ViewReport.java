package org.kpflow.analysis;

import org.kpflow.base.Estimate;

/**
 * One reduced view of one operator. Numbers that need all eigenvalues are NaN where only the
 * leading ones were computed; ranks of the zero operator are NaN.
 *
 * @param size rows of the view
 * @param method how it was found: basis, factor, hybrid, sampled, or exact for views known in
 *     closed form
 * @param products vectors that went through the operator for it (shared by the views of one sweep)
 * @param relativeError expected Frobenius error of the matrix over its norm; 0 when exact
 * @param truncation bound on the norm of what the matrix leaves out, over λ_1; 0 for all methods
 *     but factor
 * @param trace Σ λ
 * @param participationRatio (Σ λ)² / Σ λ²; for samples from pairs of independent groups, so
 *     unbiased to first order
 * @param stableRank Σ λ / λ_1
 * @param entropyRank exp(-Σ p ln p); noise inflates it when sampled
 * @param modes95 modes that carry 95 % of the trace; when sampled, as read off the noisy matrix, so
 *     rather too few
 * @param modes95Upper when sampled, modes found on one half of the samples that carry 95 % on the
 *     other half, -1 if more than were looked at; equals modes95 when exact
 * @param resolvedModes when sampled, leading modes that two independent halves of the samples agree
 *     on; all when exact
 * @param eigenvalues descending; all, or the leading ones of a large view
 */
public record ViewReport(
    long size,
    String method,
    long products,
    double relativeError,
    double truncation,
    Estimate trace,
    Estimate participationRatio,
    double stableRank,
    double entropyRank,
    int modes95,
    int modes95Upper,
    int resolvedModes,
    double[] eigenvalues) {}
