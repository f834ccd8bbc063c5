package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * What {@link BlockKrylov} is asked for.
 *
 * @param modes number of eigenpairs, at least 1 and at most the operator's size
 * @param which end of the spectrum
 * @param block vectors that go through the operator together; 0 for {@value #SMALL_BLOCK}, or
 *     {@value #LARGE_BLOCK} from {@value #MANY_MODES} modes on
 * @param basis most vectors of the basis beside the block, at least modes + 2 block; 0 for 2 modes,
 *     at least modes + {@value #LEAST_STEPS} block. It bounds memory, (basis + block + modes) n
 *     numbers
 * @param tolerance a pair has converged once ‖A v - λ v‖ is at most max(tolerance |λ|, ε |λ_1|), ε
 *     being the precision of the operator's type, the least tolerance allowed
 * @param maxRestarts restarts before giving up; the search for further copies ends there too
 * @param rng where random vectors come from
 * @param start first vectors [s, domain], s at least 1, such as eigenvectors of an operator nearby;
 *     or null
 */
public record BlockKrylovOptions(
    int modes,
    Which which,
    int block,
    int basis,
    double tolerance,
    int maxRestarts,
    RngState rng,
    Tensor start) {

  static final int SMALL_BLOCK = 8;
  static final int LARGE_BLOCK = 16;
  static final int MANY_MODES = 100;
  static final int LEAST_STEPS = 8;

  public BlockKrylovOptions {
    Checks.that(modes >= 1, "modes: expected at least 1, got %d", modes);
    Checks.notNull(which, "which");
    Checks.that(block == 0 || block >= 2, "block: expected 0 or at least 2, got %d", block);
    Checks.that(basis >= 0, "basis: expected at least 0, got %d", basis);
    Checks.that(
        tolerance > 0 && tolerance < 1, "tolerance: expected between 0 and 1, got %s", tolerance);
    Checks.that(maxRestarts >= 0, "maxRestarts: expected at least 0, got %d", maxRestarts);
    Checks.notNull(rng, "rng");
  }

  /** The largest eigenpairs to six digits, random vectors from seed 0. */
  public static BlockKrylovOptions largest(int modes) {
    return new BlockKrylovOptions(modes, Which.LA, 0, 0, 1e-6, 300, RngState.of(0), null);
  }

  public BlockKrylovOptions which(Which end) {
    return new BlockKrylovOptions(modes, end, block, basis, tolerance, maxRestarts, rng, start);
  }

  public BlockKrylovOptions block(int vectors) {
    return new BlockKrylovOptions(modes, which, vectors, basis, tolerance, maxRestarts, rng, start);
  }

  public BlockKrylovOptions basis(int vectors) {
    return new BlockKrylovOptions(modes, which, block, vectors, tolerance, maxRestarts, rng, start);
  }

  public BlockKrylovOptions tolerance(double relative) {
    return new BlockKrylovOptions(modes, which, block, basis, relative, maxRestarts, rng, start);
  }

  public BlockKrylovOptions maxRestarts(int restarts) {
    return new BlockKrylovOptions(modes, which, block, basis, tolerance, restarts, rng, start);
  }

  public BlockKrylovOptions rng(RngState stream) {
    return new BlockKrylovOptions(
        modes, which, block, basis, tolerance, maxRestarts, stream, start);
  }

  public BlockKrylovOptions start(Tensor vectors) {
    return new BlockKrylovOptions(modes, which, block, basis, tolerance, maxRestarts, rng, vectors);
  }

  /** The block size, the default worked out. */
  int blockSize() {
    return block > 0 ? block : modes < MANY_MODES ? SMALL_BLOCK : LARGE_BLOCK;
  }

  /** The basis size, the default worked out; a whole number of blocks beyond the modes. */
  long basisSize() {
    if (basis > 0) {
      return basis;
    }
    long beyond = Math.max(modes, (long) LEAST_STEPS * blockSize());
    return modes + (beyond + blockSize() - 1) / blockSize() * blockSize();
  }
}
