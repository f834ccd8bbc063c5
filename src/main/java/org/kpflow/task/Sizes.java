package org.kpflow.task;

import java.util.Locale;
import org.kpflow.base.Checks;
import org.kpflow.base.MemoryException;

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

  /**
   * The same for trials whose inputs and targets are Java arrays of f64 numbers: refused where the
   * heap has no room for them.
   *
   * @param channels n_in + n_out
   */
  static void heap(long trials, long steps, long channels) {
    double bytes = 8.0 * trials * steps * channels;
    long heap = Runtime.getRuntime().maxMemory();
    if (bytes > heap) {
      throw new MemoryException(
          String.format(
              Locale.ROOT,
              "trials: %d of %d steps and %d channels take %.1f GiB, the heap has %.1f GiB; use"
                  + " fewer at once",
              trials,
              steps,
              channels,
              bytes / (1L << 30),
              heap / (double) (1L << 30)));
    }
  }

  static int size(String name, long value, int least) {
    return (int) Checks.range(name, value, least, MOST);
  }
}
