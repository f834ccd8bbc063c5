package org.kpflow.model;

import java.util.List;
import java.util.Map;
import org.kpflow.tensor.Tensor;

/**
 * PyTorch's {@code nn.GRU}: gate rows (r, z, n), r = σ(q_r + p_r), z = σ(q_z + p_z), n = tanh(p_n +
 * r q_n), h' = (1 - z) n + z h with q = W_hh h + b_hh and p = W_ih x + b_ih. The reset gate scales
 * W_hn h + b_hn, not the input.
 */
public final class Gru extends RecurrentModel {
  /** The layers of the given weights; see {@link RecurrentModel} for names and errors. */
  public Gru(Map<String, Tensor> parameters, ModelOptions options) {
    super("gru", 0, 3, List.of("h"), true, parameters, options);
  }
}
