package org.kpflow.analysis;

/**
 * An extreme singular value by Lanczos.
 *
 * @param value σ
 * @param errorBound a singular value of the operator lies within this of σ: ||A v - σ² v|| / σ, A
 *     being the Gram operator; NaN where the iteration did not converge
 * @param matvecs products with the Gram operator
 */
public record SingularValue(double value, double errorBound, long matvecs) {}
