package org.kpflow.train;

import java.util.Map;
import org.kpflow.tensor.Tensor;

/** A rule that turns the gradients of a network's parameters into new values. */
public interface Optimizer extends AutoCloseable {
  /**
   * Overwrites the values of all parameters.
   *
   * @param step the number of this step, 1 for the first
   * @param learningRate of this step
   */
  void step(long step, double learningRate);

  /**
   * What it remembers from step to step, by name, as its own tensors: overwriting them with those
   * of another run of the same step continues that run bit for bit.
   */
  Map<String, Tensor> state();

  @Override
  void close();
}
