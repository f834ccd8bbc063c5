package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * What {@link Eigsh} is asked for.
 *
 * @param modes number of eigenpairs, at least 1 and at most the operator's size
 * @param which end of the spectrum
 * @param basis ncv, the Lanczos vectors kept; 0 for max(2 modes + 1, 20), bounded by the size
 * @param tolerance relative accuracy of the eigenvalues; 0 for that of the type
 * @param maxIterations restarts before giving up
 * @param rng where the start vector comes from
 * @param start first vector in the operator's shape, or null to draw it
 */
public record LanczosOptions(
    int modes,
    Which which,
    int basis,
    double tolerance,
    int maxIterations,
    RngState rng,
    Tensor start) {

  /** Largest in magnitude, largest, smallest, or half from each end. */
  public enum Which {
    LM,
    LA,
    SA,
    BE
  }

  public LanczosOptions {
    Checks.that(modes >= 1, "modes: expected at least 1, got %d", modes);
    Checks.that(basis >= 0, "basis: expected at least 0, got %d", basis);
    Checks.that(tolerance >= 0 && tolerance < 1, "tolerance: expected 0 to 1, got %s", tolerance);
    Checks.that(maxIterations >= 1, "maxIterations: expected at least 1, got %d", maxIterations);
    Checks.notNull(which, "which");
    Checks.notNull(rng, "rng");
  }

  /** The largest eigenpairs at machine precision, start vector from seed 0. */
  public static LanczosOptions largest(int modes) {
    return new LanczosOptions(modes, Which.LA, 0, 0, 1000, RngState.of(0), null);
  }

  public LanczosOptions which(Which end) {
    return new LanczosOptions(modes, end, basis, tolerance, maxIterations, rng, start);
  }

  public LanczosOptions basis(int vectors) {
    return new LanczosOptions(modes, which, vectors, tolerance, maxIterations, rng, start);
  }

  public LanczosOptions tolerance(double relative) {
    return new LanczosOptions(modes, which, basis, relative, maxIterations, rng, start);
  }

  public LanczosOptions maxIterations(int restarts) {
    return new LanczosOptions(modes, which, basis, tolerance, restarts, rng, start);
  }

  public LanczosOptions seed(long seed) {
    return new LanczosOptions(
        modes, which, basis, tolerance, maxIterations, RngState.of(seed), start);
  }

  public LanczosOptions start(Tensor vector) {
    return new LanczosOptions(modes, which, basis, tolerance, maxIterations, rng, vector);
  }
}
