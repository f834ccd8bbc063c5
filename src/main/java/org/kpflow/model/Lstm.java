package org.kpflow.model;

import java.util.List;
import java.util.Map;
import org.kpflow.tensor.Tensor;

/**
 * PyTorch's {@code nn.LSTM}: gate rows (i, f, g, o) of a = W_hh h + b_hh + W_ih x + b_ih, c' =
 * σ(a_f) c + σ(a_i) tanh(a_g), h' = σ(a_o) tanh(c'). The state is [h ; c], n = 2 H.
 */
public final class Lstm extends RecurrentModel {
  /** The layers of the given weights; see {@link RecurrentModel} for names and errors. */
  public Lstm(Map<String, Tensor> parameters, ModelOptions options) {
    super("lstm", 0, 4, List.of("h", "c"), true, parameters, options);
  }
}
