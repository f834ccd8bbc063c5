package org.kpflow.task;

import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;

/**
 * What a network is to learn: a source of trials. A trial depends on the random stream alone, so
 * the same stream gives the same trials on any machine and for any number of threads.
 */
public interface Task {
  /** What it is called on the command line and in files. */
  String name();

  /** n_in, the input channels. */
  long inputs();

  /** n_out, the target channels. */
  long outputs();

  /** T, the steps of a trial. */
  long steps();

  /**
   * Random trials, in f64 on the CPU: the same ones for a context of any device.
   *
   * @param trials B, at least 1
   */
  Trials draw(ExecutionContext context, long trials, RngState rng);

  /**
   * The trials on which a network is judged, always the same: evenly spaced where the task has
   * conditions that can be, without noise.
   */
  Trials evaluation(ExecutionContext context);
}
