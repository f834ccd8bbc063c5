package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Any inputs with their targets. Random trials are drawn from the given ones with replacement; a
 * network is judged on all of them, in their order. The arrays stay the caller's and open as long
 * as the task is used.
 */
public final class Arrays implements Task {
  private final Trials all;

  /**
   * A task of the given trials.
   *
   * @param trials of any type, at least one
   */
  public Arrays(Trials trials) {
    Checks.that(
        Checks.notNull(trials, "trials").inputs().count() > 0 && trials.targets().count() > 0,
        "trials: expected at least one with steps and channels, got inputs %s and targets %s",
        trials.inputs().shape(),
        trials.targets().shape());
    this.all = trials;
  }

  @Override
  public String name() {
    return "arrays";
  }

  @Override
  public long inputs() {
    return all.inputs().shape().size(2);
  }

  @Override
  public long outputs() {
    return all.targets().shape().size(2);
  }

  @Override
  public long steps() {
    return all.inputs().shape().size(1);
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.numbers(trials, steps(), Math.max(inputs(), outputs()));
    double[] uniform = Uniform.draw(context, (int) trials, rng);
    long[] picked = new long[uniform.length];
    for (int b = 0; b < picked.length; b++) {
      picked[b] = Math.min((long) (uniform[b] * all.count()), all.count() - 1);
    }
    return new Trials(
        pick(all.inputs(), picked),
        pick(all.targets(), picked),
        all.mask() == null ? null : pick(all.mask(), picked));
  }

  private static Tensor pick(Tensor from, long[] picked) {
    Shape shape = from.shape().tail().block(picked.length);
    Tensor found = Tensor.zeros(DType.F64, shape);
    for (int b = 0; b < picked.length; b++) {
      found.slice(b).copyFrom(from.slice(picked[b]));
    }
    return found;
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    return all.to(DType.F64);
  }
}
