package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.model.FourierFeatures;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;

/**
 * A task whose inputs are given as Fourier features: [B, T, 2 F n_in] in place of [B, T, n_in],
 * with the same targets.
 */
public final class FourierTask implements Task {
  private final Task task;
  private final FourierFeatures features;

  /** The features of a task's inputs. */
  public FourierTask(Task task, FourierFeatures features) {
    this.task = Checks.notNull(task, "task");
    this.features = Checks.notNull(features, "features");
  }

  @Override
  public String name() {
    return task.name();
  }

  @Override
  public long inputs() {
    return features.channels(task.inputs());
  }

  @Override
  public long outputs() {
    return task.outputs();
  }

  @Override
  public long steps() {
    return task.steps();
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    return of(task.draw(context, trials, rng), features);
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    return of(task.evaluation(context), features);
  }

  /**
   * Trials with features in place of their inputs; it closes the inputs and takes over the rest.
   */
  public static Trials of(Trials trials, FourierFeatures features) {
    try {
      Trials with = new Trials(features.apply(trials.inputs()), trials.targets(), trials.mask());
      trials.inputs().close();
      return with;
    } catch (RuntimeException failure) {
      trials.close();
      throw failure;
    }
  }
}
