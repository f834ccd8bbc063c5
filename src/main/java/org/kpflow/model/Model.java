package org.kpflow.model;

import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
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

  /**
   * Moves the weights into the memory of a device, for training there: every run reads them. What
   * {@link #weight} has given before is closed if it lay elsewhere.
   */
  void moveTo(Device device);

  /** p, the number of trainable scalars. */
  default long parameterCount() {
    return families().stream().filter(WeightFamily::trainable).mapToLong(WeightFamily::size).sum();
  }

  @Override
  void close();

  /** Puts copies on a device in the place of tensors that lie elsewhere. */
  static void move(Map<String, Tensor> weights, Device device) {
    weights.replaceAll(
        (name, weight) -> {
          if (weight.device() == device) {
            return weight;
          }
          try (weight) {
            return weight.to(device);
          }
        });
  }
}
