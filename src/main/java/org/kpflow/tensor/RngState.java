package org.kpflow.tensor;

import org.kpflow.base.Checks;
import org.kpflow.nativelib.Engine;

/**
 * A position in a counter-based random stream (Philox4x32-10): element i drawn here depends on
 * (seed, position + i) alone, so numbers are the same for any number of threads and any blocking.
 * Immutable: drawing does not move it, {@link #advance} gives the next.
 */
public record RngState(long seed, long position) {

  /** Distributions of the numbers. */
  public enum Distribution {
    GAUSSIAN,
    RADEMACHER,
    UNIFORM
  }

  public RngState {
    Checks.that(position >= 0, "position: expected at least 0, got %d", position);
  }

  /** The start of the stream of a seed. */
  public static RngState of(long seed) {
    return new RngState(seed, 0);
  }

  /** The state after {@code count} numbers. */
  public RngState advance(long count) {
    return new RngState(seed, Math.addExact(position, count));
  }

  /**
   * A stream of another seed, derived from this one and a label: for independent parts of a
   * computation.
   */
  public RngState split(long label) {
    long mixed = seed + 0x9E3779B97F4A7C15L * (label + 1);
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return new RngState(mixed ^ (mixed >>> 31), 0);
  }

  /** Fills a tensor with the next numbers and returns the state after them. */
  public RngState fill(ExecutionContext context, Distribution distribution, Tensor out) {
    Checks.notNull(context, "context");
    Checks.notNull(distribution, "distribution");
    TensorMath.onDevice(context, "out", Checks.notNull(out, "out"));
    Engine.fillRandom(
        context.handle(),
        out.dtype(),
        distribution.ordinal(),
        seed,
        position,
        out.count(),
        out.memory());
    return advance(out.count());
  }
}
