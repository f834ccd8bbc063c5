package org.kpflow.train;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.Architecture;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The parameters of a network that is to be trained from nothing, by kpflow's names.
 *
 * @param type what network
 * @param inputs n_in
 * @param units H of recurrent layers, the width of an attention block or a transformer and of an
 *     MLP's layers
 * @param layers recurrent layers, layers of an MLP, of the MLP behind an attention block (0 for
 *     none), or blocks of a transformer
 * @param bias whether there are biases
 */
public record FreshWeights(Architecture type, long inputs, long units, int layers, boolean bias) {
  private static final int FEED_FORWARD = 4; // width of a transformer's MLP over its units

  /** The shapes of all arrays. */
  public Map<String, Shape> shapes() {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    switch (type) {
      case RNN, NEURAL_ODE -> recurrent(shapes, 1, bias);
      case LEAKY_RNN -> recurrent(shapes, 1, false);
      case GRU -> recurrent(shapes, 3, bias);
      case LSTM -> recurrent(shapes, 4, bias);
      case MLP -> {
        for (int l = 1; l <= layers; l++) {
          linear(shapes, "mlp_W_" + l, "mlp_b_" + l, units, l == 1 ? inputs : units);
        }
      }
      case ATTENTION -> {
        attention(shapes, inputs, "");
        for (int l = 1; l <= layers; l++) {
          linear(shapes, "mlp_W_" + l, "mlp_b_" + l, units, units);
        }
      }
      case TRANSFORMER -> transformer(shapes);
    }
    return shapes;
  }

  /**
   * Weights of the network and of a read-out of its output block, by their names in a checkpoint;
   * the caller closes them.
   *
   * @param outputs n_out
   */
  public TensorMap draw(ExecutionContext context, long outputs, DType dtype, RngState rng) {
    Map<String, Shape> all = new LinkedHashMap<>();
    shapes().forEach((name, shape) -> all.put(Network.PREFIX + name, shape));
    all.put(Network.READOUT + ".weight", Shape.of(outputs, units));
    if (bias) {
      all.put(Network.READOUT + ".bias", Shape.of(outputs));
    }
    TensorMap weights = new TensorMap("fresh weights");
    long label = 0;
    for (Map.Entry<String, Shape> entry : all.entrySet()) {
      Tensor tensor = Tensor.zeros(dtype, entry.getValue());
      weights.put(entry.getKey(), tensor);
      double bound = 1 / Math.sqrt(units);
      rng.split(label++).fill(context, RngState.Distribution.UNIFORM, tensor);
      double[] values = tensor.toDoubles();
      Arrays.setAll(values, i -> bound * (2 * values[i] - 1));
      tensor.copyFrom(values);
    }
    return weights;
  }

  private void recurrent(Map<String, Shape> shapes, int gates, boolean biases) {
    for (int l = 0; l < layers; l++) {
      shapes.put("weight_ih_l" + l, Shape.of(gates * units, l == 0 ? inputs : units));
      shapes.put("weight_hh_l" + l, Shape.of(gates * units, units));
      if (biases) {
        shapes.put("bias_ih_l" + l, Shape.of(gates * units));
        shapes.put("bias_hh_l" + l, Shape.of(gates * units));
      }
    }
  }

  private void attention(Map<String, Shape> shapes, long width, String suffix) {
    for (String letter : new String[] {"q", "k", "z"}) {
      linear(shapes, "W_" + letter + suffix, "b_" + letter + suffix, units, width);
    }
    linear(shapes, "W_o" + suffix, "b_o" + suffix, units, units);
  }

  private void transformer(Map<String, Shape> shapes) {
    linear(shapes, "W_in", "b_in", units, inputs);
    for (int l = 0; l < layers; l++) {
      String suffix = "_l" + l;
      norm(shapes, "norm1", suffix);
      attention(shapes, units, suffix);
      norm(shapes, "norm2", suffix);
      linear(shapes, "mlp_W_1" + suffix, "mlp_b_1" + suffix, FEED_FORWARD * units, units);
      linear(shapes, "mlp_W_2" + suffix, "mlp_b_2" + suffix, units, FEED_FORWARD * units);
    }
    norm(shapes, "norm", "");
  }

  private void norm(Map<String, Shape> shapes, String name, String suffix) {
    shapes.put(name + "_weight" + suffix, Shape.of(units));
    shapes.put(name + "_bias" + suffix, Shape.of(units));
  }

  private void linear(
      Map<String, Shape> shapes, String weight, String biasName, long outputs, long columns) {
    shapes.put(weight, Shape.of(outputs, columns));
    if (bias) {
      shapes.put(biasName, Shape.of(outputs));
    }
  }
}
