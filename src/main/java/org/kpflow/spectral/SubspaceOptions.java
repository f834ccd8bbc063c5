package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * What {@link SubspaceIteration} is asked for.
 *
 * @param modes number of eigenpairs, at least 1 and at most the operator's size
 * @param oversampling vectors beyond the modes; the error falls by |λ_{modes + oversampling + 1} /
 *     λ_i| a pass
 * @param tolerance a pair has converged once ‖A v - λ v‖ is at most max(tolerance |λ|, 10 ε |λ_1|),
 *     ε being the precision of the operator's type, the least tolerance allowed
 * @param maxPasses passes, of modes + oversampling products each, before giving up
 * @param rng where random vectors come from
 * @param start first vectors [s, domain], s at least 1; or null
 */
public record SubspaceOptions(
    int modes, int oversampling, double tolerance, int maxPasses, RngState rng, Tensor start) {

  public SubspaceOptions {
    Checks.that(modes >= 1, "modes: expected at least 1, got %d", modes);
    Checks.that(oversampling >= 0, "oversampling: expected at least 0, got %d", oversampling);
    Checks.that(
        tolerance > 0 && tolerance < 1, "tolerance: expected between 0 and 1, got %s", tolerance);
    Checks.that(maxPasses >= 1, "maxPasses: expected at least 1, got %d", maxPasses);
    Checks.notNull(rng, "rng");
  }

  /** The largest eigenpairs to two digits, half as many vectors again, from seed 0. */
  public static SubspaceOptions largest(int modes) {
    return new SubspaceOptions(modes, Math.max(10, modes / 2), 1e-2, 100, RngState.of(0), null);
  }

  public SubspaceOptions oversampling(int vectors) {
    return new SubspaceOptions(modes, vectors, tolerance, maxPasses, rng, start);
  }

  public SubspaceOptions tolerance(double relative) {
    return new SubspaceOptions(modes, oversampling, relative, maxPasses, rng, start);
  }

  public SubspaceOptions maxPasses(int passes) {
    return new SubspaceOptions(modes, oversampling, tolerance, passes, rng, start);
  }

  public SubspaceOptions rng(RngState stream) {
    return new SubspaceOptions(modes, oversampling, tolerance, maxPasses, stream, start);
  }

  public SubspaceOptions start(Tensor vectors) {
    return new SubspaceOptions(modes, oversampling, tolerance, maxPasses, rng, vectors);
  }
}
