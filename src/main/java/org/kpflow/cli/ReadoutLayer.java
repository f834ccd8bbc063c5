package org.kpflow.cli;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.LoadedModel;
import org.kpflow.model.Readout;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Finds the linear layer between a network's output block and targets in a weight file. */
final class ReadoutLayer {
  private static final String WEIGHT = ".weight";

  private ReadoutLayer() {}

  /**
   * The name of the only layer [n_out, units of the output block] that is not the network's; null
   * if there is none and a feed-forward network's output block has n_out units itself.
   *
   * @throws InputException if there is none otherwise, or more than one
   */
  static String find(TensorMap weights, LoadedModel network, long outputs) {
    Shape wanted = Shape.of(outputs, network.model().outputBlock().units());
    List<String> fitting =
        network.unused().stream()
            .filter(known -> known.endsWith(WEIGHT) && weights.contains(known))
            .filter(known -> weights.get(known).shape().equals(wanted))
            .map(known -> known.substring(0, known.length() - WEIGHT.length()))
            .toList();
    boolean itself =
        !network.description().type().isRecurrent()
            && outputs == network.model().outputBlock().units();
    if (fitting.isEmpty() && itself) {
      return null;
    }
    if (fitting.size() != 1) {
      throw new InputException(
          weights.source()
              + ": expected one read-out NAME.weight of shape "
              + wanted
              + " for the targets, found "
              + fitting
              + "; name it with --readout");
    }
    return fitting.get(0);
  }

  /**
   * The read-out of a layer's name.
   *
   * @throws InputException if there is none of the name, if it is the network's own, or if it does
   *     not read the output block
   */
  static Readout read(
      ExecutionContext context, TensorMap weights, LoadedModel network, String layer, DType dtype) {
    long units = network.model().outputBlock().units();
    Tensor weight = weights.get(layer + WEIGHT);
    if (!network.unused().contains(layer + WEIGHT)) {
      throw new InputException(
          "--readout: '"
              + layer
              + "' is the network's "
              + parameters(network, layer + WEIGHT)
              + "; expected a layer behind it");
    }
    if (weight.shape().rank() != 2 || weight.shape().size(1) != units) {
      throw new InputException(
          weights.source()
              + ": "
              + layer
              + WEIGHT
              + ": expected shape [n_out, "
              + units
              + "] to read "
              + network.model().outputBlock().name()
              + ", got "
              + weight.shape());
    }
    String bias = layer + ".bias";
    return new Readout(
        context,
        weight,
        weights.contains(bias) ? weights.get(bias) : null,
        network.model().outputBlock(),
        dtype);
  }

  /** The parameters that a name in the file holds; rows of it stand there as NAME[0:8]. */
  private static String parameters(LoadedModel network, String name) {
    return network.sources().entrySet().stream()
        .filter(
            source -> source.getValue().equals(name) || source.getValue().startsWith(name + "["))
        .map(Map.Entry::getKey)
        .sorted()
        .collect(Collectors.joining(", "));
  }
}
