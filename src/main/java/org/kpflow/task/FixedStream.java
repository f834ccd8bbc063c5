package org.kpflow.task;

import org.kpflow.tensor.RngState;

/**
 * The stream of what a task of a seed keeps: labelled by the task's name, so that it is none of
 * those of a training with the same seed.
 */
final class FixedStream {
  private FixedStream() {}

  static RngState of(String task, long seed) {
    return RngState.of(seed).split(task.hashCode());
  }
}
