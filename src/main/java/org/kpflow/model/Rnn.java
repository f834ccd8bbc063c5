package org.kpflow.model;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.tensor.Tensor;

/** PyTorch's {@code nn.RNN}: h' = φ(W_hh h + b_hh + W_ih x + b_ih). */
public final class Rnn extends RecurrentModel {
  /** The layers of the given weights; see {@link RecurrentModel} for names and errors. */
  public Rnn(Map<String, Tensor> parameters, Activation activation, ModelOptions options) {
    super(
        "rnn_" + Checks.notNull(activation, "activation"),
        0,
        1,
        List.of("h"),
        true,
        parameters,
        options);
  }
}
