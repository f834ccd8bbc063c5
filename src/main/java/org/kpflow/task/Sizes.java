package org.kpflow.task;

import org.kpflow.base.Checks;

/** The sizes that tasks take. */
final class Sizes {
  /** Of any axis. */
  static final int MOST = 1 << 20;

  private static final int MOST_TRIALS = 1 << 24;
  private static final int MOST_NUMBERS = Integer.MAX_VALUE - 8; // what a Java array holds

  private Sizes() {}

  /** The entries of an array [B, T, channels], for B trials asked for. */
  static int numbers(long trials, long steps, long channels) {
    Checks.range("trials", trials, 1, MOST_TRIALS);
    long most = MOST_NUMBERS / (steps * channels);
    Checks.that(
        trials <= most,
        "trials: expected at most %d of %d steps and %d channels at once, got %d",
        most,
        steps,
        channels,
        trials);
    return (int) (trials * steps * channels);
  }

  static int size(String name, long value, int least) {
    return (int) Checks.range(name, value, least, MOST);
  }
}
