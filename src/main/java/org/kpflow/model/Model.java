package org.kpflow.model;

import java.util.List;
import org.kpflow.base.DType;
import org.kpflow.tensor.Tensor;

/**
 * A network with its weights: what {@code Linearization} runs and differentiates. It owns copies of
 * the weights.
 */
public sealed interface Model extends AutoCloseable permits RecurrentModel, GraphModel {
  /** The type in which the model is computed. */
  DType dtype();

  /** n_in, the input channels. */
  long inputs();

  /** n, the units of the state at one trial and step. */
  long stateUnits();

  /** The parts of the state, in order. */
  List<StateBlock> blocks();

  /** The part that a read-out reads: the hidden state of the last layer, or the last node. */
  StateBlock outputBlock();

  /** Steps of the state per step of the input: the stages of an integrator that holds its input. */
  default long stepsPerInput() {
    return 1;
  }

  /** All parameter arrays the model has, in the order of theta. */
  List<WeightFamily> families();

  /** The parameter array of a family, as the model's own tensor. */
  Tensor weight(String family);

  /** p, the number of trainable scalars. */
  default long parameterCount() {
    return families().stream().filter(WeightFamily::trainable).mapToLong(WeightFamily::size).sum();
  }

  @Override
  void close();
}
