package org.kpflow.train;

/** Told of a training's steps; a training asks it whether to go on. */
public interface TrainingObserver {
  /** Nobody looks, and nobody stops it. */
  TrainingObserver NONE = new TrainingObserver() {};

  /**
   * It begins, or goes on.
   *
   * @param step steps taken before
   * @param done whether none is left to take
   */
  default void begins(long step, boolean done) {}

  /** A step is done; the evaluation's loss is the last one. */
  default void step(long step, double loss, double evaluation) {}

  /** Whether to end it after the step; its state is saved. */
  default boolean stops() {
    return false;
  }
}
