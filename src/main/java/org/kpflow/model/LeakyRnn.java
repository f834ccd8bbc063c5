package org.kpflow.model;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.tensor.Tensor;

/** Leaky rate network: h' = (1 - dt) h + dt (W_hh φ(h) + W_ih x), without biases. */
public final class LeakyRnn extends RecurrentModel {
  /**
   * The layers of the given weights; see {@link RecurrentModel} for names and errors.
   *
   * @param dt step over time constant, above 0 and at most 1
   */
  public LeakyRnn(
      Map<String, Tensor> parameters, Activation activation, double dt, ModelOptions options) {
    super(
        "leaky_rnn_" + Checks.notNull(activation, "activation"),
        checked(dt),
        1,
        List.of("h"),
        false,
        parameters,
        options);
  }

  private static double checked(double dt) {
    Checks.that(dt > 0 && dt <= 1, "dt: expected above 0 and at most 1, got %s", dt);
    return dt;
  }
}
