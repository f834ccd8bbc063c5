package org.kpflow.analysis;

import org.kpflow.estimate.SpectrumMetrics;

/**
 * The whole spectrum of the NTK on the state; the eigenvalues are in arrays.npz.
 *
 * @param through the space that it was found in: factor or weights
 * @param dimension of that space; all other eigenvalues are 0
 * @param floor eigenvalues below it are rounding
 * @param rank eigenvalues above it
 * @param metrics trace, norm and effective ranks of the NTK itself
 */
public record SpectrumReport(
    String through, long dimension, double floor, long rank, SpectrumMetrics metrics) {}
