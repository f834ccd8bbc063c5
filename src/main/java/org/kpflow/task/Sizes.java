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
   * The same for trials whose n_in inputs and n_out targets are made as Java arrays, which may take
   * half of the heap.
   */
  static void requireHeap(long trials, long steps, long inputs, long outputs) {
    numbers(trials, steps, Math.max(inputs, outputs));
    double bytes = 8.0 * trials * steps * (inputs + outputs);
    double room = Runtime.getRuntime().maxMemory() / 2.0;
    if (bytes > room) {
      throw new MemoryException(
          String.format(
              Locale.ROOT,
              "trials: %d of %d steps and %d channels take %.1f GiB, more than the %.1f GiB of half"
                  + " the Java heap; use fewer, or a larger heap (JAVA_TOOL_OPTIONS=-Xmx...)",
              trials,
              steps,
              inputs + outputs,
              bytes / (1L << 30),
              room / (1L << 30)));
    }
  }

  static int size(String name, long value, int least) {
    return (int) Checks.range(name, value, least, MOST);
  }
}
