package org.kpflow.model;

import java.util.Locale;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * Self-attention and an MLP behind it: Q = x W_qᵀ, K = x W_kᵀ, Z = x W_zᵀ, A = softmax(Q Kᵀ / √d) Z
 * per head, Yattn = A W_oᵀ, then the layers of {@link Mlp} on Yattn. Without {@code W_o} the block
 * ends with A. Biases {@code b_q}, {@code b_k}, {@code b_z}, {@code b_o} are optional. The state is
 * [Q, K, Z, A, Yattn, H_2, ..., H_L, Y].
 */
public final class AttentionBlock {
  private AttentionBlock() {}

  /**
   * The block of the given weights, which are copied.
   *
   * @param heads number of heads, a divisor of the width of Q
   * @param causal whether step t sees no later steps
   * @throws InputException if a weight is missing, is not known or does not fit
   */
  public static GraphModel of(
      Map<String, Tensor> parameters,
      int heads,
      boolean causal,
      Activation activation,
      ModelOptions options) {
    Tensor query = Checks.notNull(parameters, "weights").get("W_q");
    if (query == null || query.shape().rank() != 2) {
      throw new InputException(
          "weights: W_q is missing or not a matrix; found " + parameters.keySet());
    }
    String description =
        (causal ? "causal attention block, " : "attention block, ")
            + heads
            + (heads == 1 ? " head" : " heads");
    long inputs = query.shape().size(1);
    try (GraphModel.Builder builder = GraphModel.builder(description, inputs, options)) {
      Mlp.Parameters given = new Mlp.Parameters(parameters);
      String out = append(builder, given, GraphModel.INPUT, heads, causal, "");
      Mlp.append(builder, given, out, activation, "");
      given.requireAllUsed();
      return builder.build();
    }
  }

  /** Adds Q, K, Z, A and Yattn behind a node; returns the last one's name. */
  static String append(
      GraphModel.Builder builder,
      Mlp.Parameters given,
      String input,
      int heads,
      boolean causal,
      String suffix) {
    for (String letter : new String[] {"q", "k", "z"}) {
      String name = letter.toUpperCase(Locale.ROOT) + suffix;
      given.linear(
          builder, name, input, "W_" + letter + suffix, "b_" + letter + suffix, Activation.LINEAR);
    }
    builder.attention("A" + suffix, "Q" + suffix, "K" + suffix, "Z" + suffix, heads, causal);
    if (!given.has("W_o" + suffix)) {
      return "A" + suffix;
    }
    String out = "Yattn" + suffix;
    given.linear(builder, out, "A" + suffix, "W_o" + suffix, "b_o" + suffix, Activation.LINEAR);
    return out;
  }
}
