package org.kpflow.model;

import java.util.Map;
import java.util.TreeSet;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * A multi-layer perceptron: H_1 = x, H_{l+1} = φ(H_l W_lᵀ + b_l), Y = H_L W_Lᵀ + b_L, on every
 * trial and step by itself. The state is [H_2, ..., H_L, Y]; parameters are {@code mlp_W_l} and,
 * where a layer has one, {@code mlp_b_l}, l = 1 to L.
 */
public final class Mlp {
  private Mlp() {}

  /**
   * The network of the given weights, which are copied.
   *
   * @throws InputException if a weight is missing, is not known or does not fit
   */
  public static GraphModel of(
      Map<String, Tensor> parameters, Activation activation, ModelOptions options) {
    Tensor first = Checks.notNull(parameters, "weights").get("mlp_W_1");
    if (first == null || first.shape().rank() != 2) {
      throw new InputException(
          "weights: mlp_W_1 is missing or not a matrix; found " + parameters.keySet());
    }
    long inputs = first.shape().size(1);
    String description = "MLP (" + activation + ")";
    try (GraphModel.Builder builder = GraphModel.builder(description, inputs, options)) {
      Parameters given = new Parameters(parameters);
      append(builder, given, GraphModel.INPUT, activation, "");
      given.requireAllUsed();
      return builder.build();
    }
  }

  /**
   * Adds H_2 to H_L and Y behind a node, as many layers as there are weights; names end in a
   * suffix.
   *
   * @return the last node's name; the input's where there is no layer
   */
  static String append(
      GraphModel.Builder builder,
      Parameters given,
      String input,
      Activation activation,
      String suffix) {
    int layers = 0;
    while (given.has("mlp_W_" + (layers + 1) + suffix)) {
      layers++;
    }
    String from = input;
    for (int l = 1; l <= layers; l++) {
      String name = (l < layers ? "H_" + (l + 1) : "Y") + suffix;
      given.linear(
          builder,
          name,
          from,
          "mlp_W_" + l + suffix,
          "mlp_b_" + l + suffix,
          l < layers ? activation : Activation.LINEAR);
      from = name;
    }
    return from;
  }

  /** Named parameters that remember which of them were asked for. */
  static final class Parameters {
    private final Map<String, Tensor> all;
    private final TreeSet<String> unused;

    Parameters(Map<String, Tensor> all) {
      this.all = all;
      this.unused = new TreeSet<>(all.keySet());
    }

    boolean has(String name) {
      return all.get(name) != null;
    }

    /** The parameter, or null if there is none. */
    Tensor take(String name) {
      unused.remove(name);
      return all.get(name);
    }

    void linear(
        GraphModel.Builder builder,
        String name,
        String input,
        String weight,
        String bias,
        Activation activation) {
      builder.linear(name, input, weight, take(weight), bias, take(bias), activation);
    }

    /** Refuses what no node has read. */
    void requireAllUsed() {
      if (!unused.isEmpty()) {
        throw new InputException("weights: " + unused + " are not parameters of this architecture");
      }
    }
  }
}
