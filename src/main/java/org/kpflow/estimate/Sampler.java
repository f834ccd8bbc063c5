package org.kpflow.estimate;

import org.kpflow.base.Checks;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Where probes come from: a distribution and a position in a counter-based stream. Probe i depends
 * on the distribution, the stream, i and the number of elements alone, so it is the same for any
 * number of threads and any blocking. Immutable: drawing does not move it.
 */
public record Sampler(ProbeDistribution distribution, RngState rng) {
  public Sampler {
    Checks.notNull(distribution, "distribution");
    Checks.notNull(rng, "rng");
  }

  /** Probes from the start of the stream of a seed. */
  public static Sampler of(ProbeDistribution distribution, long seed) {
    return new Sampler(distribution, RngState.of(seed));
  }

  public long seed() {
    return rng.seed();
  }

  /** Fills a block [s, N] with the probes {@code first} to {@code first + s - 1}. */
  public void fill(ExecutionContext context, long first, Tensor block) {
    Checks.that(first >= 0, "first probe: expected at least 0, got %d", first);
    Checks.notNull(block, "block");
    long size = block.shape().tail().count();
    distribution.fill(context, rng.advance(Math.multiplyExact(first, size)), block);
  }

  /** The same distribution from an independent stream. */
  Sampler split(long label) {
    return new Sampler(distribution, rng.split(label));
  }

  /** Another distribution from the same stream. */
  Sampler as(ProbeDistribution other) {
    return new Sampler(other, rng);
  }
}
