package org.kpflow.train;

import org.kpflow.task.Trials;

/**
 * The trials of every training step: a function of the step alone, so that a run can be resumed.
 */
@FunctionalInterface
public interface Batches {
  /**
   * The trials of a step, in the network's type; the caller closes them.
   *
   * @param step the number of the step, 1 for the first
   */
  Trials at(long step);
}
