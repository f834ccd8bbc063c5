package org.kpflow.linearize;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Φ(t, s) of every trial for a fixed s and growing t: Φ(s, s) = I, Φ(t, s) = J_t Φ(t-1, s). Holds
 * two arrays [B, n, n] and, while it moves, one more.
 */
public final class TransitionChain implements AutoCloseable {
  private final Linearization linearization;
  private final long source;
  private long step;
  private Tensor current; // Φ(step, source) [B, n, n]
  private Tensor next;

  /**
   * Starts at Φ(s, s) = I.
   *
   * @throws IllegalArgumentException if s is not one of 0 to T - 1, or the model does not step
   *     through time
   */
  public TransitionChain(Linearization linearization, long s) {
    this.linearization = Checks.notNull(linearization, "linearization");
    linearization.requireStepsThroughTime("state transitions");
    this.source = Checks.range("s", s, 0, linearization.steps() - 1);
    this.step = source;
    long trials = linearization.trials();
    long n = linearization.units();
    current = linearization.zeros(Shape.of(trials, n, n));
    try {
      next = linearization.zeros(Shape.of(trials, n, n));
    } catch (RuntimeException failure) {
      current.close();
      throw failure;
    }
    TensorMath.fill(new long[] {trials, n}, 1, current, new long[] {n * n, n + 1});
  }

  /** s. */
  public long source() {
    return source;
  }

  /**
   * Φ(t, s) [B, n, n]; it stays this chain's and holds until the next move.
   *
   * @throws IllegalArgumentException if t lies before the step reached, or after the last
   */
  public Tensor advanceTo(long t) {
    Checks.range("t", t, step, linearization.steps() - 1);
    while (step < t) {
      try (Tensor jacobians = linearization.stepJacobians(step + 1, 1)) { // [B, 1, n, n]
        for (long b = 0; b < linearization.trials(); b++) {
          TensorMath.gemm(
              linearization.context(),
              false,
              false,
              1,
              jacobians.slice(b).slice(0),
              current.slice(b),
              0,
              next.slice(b));
        }
      }
      Tensor reached = next;
      next = current;
      current = reached;
      step++;
    }
    return current;
  }

  @Override
  public void close() {
    current.close();
    next.close();
  }
}
