package org.kpflow.model;

import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * A stack of pre-norm transformer blocks. Block l reads X_l: N1 = LN(X_l), attention of N1 to
 * Yattn, R = X_l + Yattn, N2 = LN(R), an MLP of N2 to Y, X_{l+1} = R + Y; X_0 is x, or x W_inᵀ +
 * b_in where there is {@code W_in}; a layer norm N follows the last block where there is {@code
 * norm_weight}. Parameters of block l are those of {@link AttentionBlock} with {@code
 * norm1_weight}, {@code norm1_bias}, {@code norm2_weight}, {@code norm2_bias}, all ending in {@code
 * _l0}, {@code _l1}, ...; blocks of the state likewise: [X_in, N1_l0, Q_l0, K_l0, Z_l0, A_l0,
 * Yattn_l0, R_l0, N2_l0, H_2_l0, ..., Y_l0, X_l0, N1_l1, ..., N].
 */
public final class Transformer {
  private Transformer() {}

  /**
   * The stack of the given weights, which are copied; it has as many blocks as there are {@code
   * W_q_l}.
   *
   * @param epsilon of the layer norms; PyTorch's default is 1e-5
   * @throws InputException if a weight is missing, is not known or does not fit
   */
  public static GraphModel of(
      Map<String, Tensor> parameters,
      int heads,
      boolean causal,
      Activation activation,
      double epsilon,
      ModelOptions options) {
    Mlp.Parameters given = new Mlp.Parameters(Checks.notNull(parameters, "weights"));
    String first = given.has("W_in") ? "W_in" : "W_q_l0";
    Tensor reading = parameters.get(first);
    if (reading == null || reading.shape().rank() != 2) {
      throw new InputException(
          "weights: " + first + " is missing or not a matrix; found " + parameters.keySet());
    }
    int blocks = 0;
    while (given.has("W_q_l" + blocks)) {
      blocks++;
    }
    String description =
        (causal ? "causal transformer, " : "transformer, ")
            + blocks
            + (blocks == 1 ? " block, " : " blocks, ")
            + heads
            + (heads == 1 ? " head" : " heads");
    long inputs = reading.shape().size(1);
    try (GraphModel.Builder builder = GraphModel.builder(description, inputs, options)) {
      String from = GraphModel.INPUT;
      if (given.has("W_in")) {
        from = "X_in";
        given.linear(builder, from, GraphModel.INPUT, "W_in", "b_in", Activation.LINEAR);
      }
      for (int l = 0; l < blocks; l++) {
        from = block(builder, given, from, heads, causal, activation, epsilon, "_l" + l);
      }
      if (given.has("norm_weight")) {
        norm(builder, given, "N", from, "norm", "", epsilon);
      }
      given.requireAllUsed();
      return builder.build();
    }
  }

  private static String block(
      GraphModel.Builder builder,
      Mlp.Parameters given,
      String from,
      int heads,
      boolean causal,
      Activation activation,
      double epsilon,
      String suffix) {
    norm(builder, given, "N1" + suffix, from, "norm1", suffix, epsilon);
    String attended = AttentionBlock.append(builder, given, "N1" + suffix, heads, causal, suffix);
    builder.add("R" + suffix, from, attended);
    if (!given.has("mlp_W_1" + suffix)) {
      throw new InputException("weights: mlp_W_1" + suffix + " is missing");
    }
    norm(builder, given, "N2" + suffix, "R" + suffix, "norm2", suffix, epsilon);
    String fed = Mlp.append(builder, given, "N2" + suffix, activation, suffix);
    builder.add("X" + suffix, "R" + suffix, fed);
    return "X" + suffix;
  }

  private static void norm(
      GraphModel.Builder builder,
      Mlp.Parameters given,
      String name,
      String input,
      String parameter,
      String suffix,
      double epsilon) {
    String weight = parameter + "_weight" + suffix;
    String bias = parameter + "_bias" + suffix;
    builder.layerNorm(name, input, weight, given.take(weight), bias, given.take(bias), epsilon);
  }
}
