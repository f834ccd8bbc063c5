package org.kpflow.experiment;

import java.util.HashMap;
import java.util.Map;
import org.kpflow.model.Initialization;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.task.Task;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Weights that a training starts from: a GRU without biases, and a read-out with PyTorch's default
 * weights and bias. The same stream gives networks that differ by the rule alone.
 *
 * @param cell weight_ih_l0 and weight_hh_l0
 * @param readout weight [n_out, H] and bias [n_out]
 */
record GruWeights(Map<String, Tensor> cell, Map<String, Tensor> readout) implements AutoCloseable {
  private static final int GATES = 3;

  /** Random weights for a task. */
  static GruWeights draw(
      ExecutionContext context, Initialization rule, Task task, long units, RngState rng) {
    RecurrentSizes sizes = new RecurrentSizes(GATES, task.inputs(), units, 1, false);
    Initialization linear = Initialization.of(Initialization.Kind.PYTORCH, 1);
    return new GruWeights(
        rule.recurrent(context, sizes, rng.split(0)),
        linear.linear(context, task.outputs(), units, true, rng.split(1)));
  }

  @Override
  public void close() {
    Map<String, Tensor> all = new HashMap<>(cell);
    all.putAll(readout);
    all.values().forEach(Tensor::close);
  }
}
