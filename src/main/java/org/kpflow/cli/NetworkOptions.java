package org.kpflow.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.io.Finite;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.LoadedModel;
import org.kpflow.loading.ModelDescription;
import org.kpflow.loading.ModelLoader;
import picocli.CommandLine.Option;

/** The options that say what network the weights are of. */
final class NetworkOptions {
  /** Cells that --cell takes. */
  enum Cell {
    rnn,
    leaky_rnn,
    gru,
    lstm
  }

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description =
          "A JSON file that describes the network (docs/models/model-json.md); kpflow describe proposes one.")
  private Path model;

  @Option(
      names = "--cell",
      paramLabel = "CELL",
      description = "In place of --model: rnn, leaky_rnn, gru or lstm.")
  private Cell cell;

  @Option(
      names = "--prefix",
      paramLabel = "TEXT",
      description = "With --cell: what stands before weight_hh_l0 (default: found).")
  private String prefix;

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      description =
          "With --cell: tanh, relu, gelu or linear, for rnn and leaky_rnn (default: tanh).")
  private String activation;

  @Option(
      names = "--dt",
      paramLabel = "X",
      description = "With --cell: step of the leaky_rnn (default: 1).")
  private Double dt;

  @Option(
      names = "--ignore",
      split = ",",
      paramLabel = "NAMES",
      description =
          "Parameters in the weights that are not the network's, such as head.*; in place of the model file's.")
  private List<String> ignore;

  @Option(
      names = "--freeze",
      split = ",",
      paramLabel = "NAMES",
      description = "Parameters that are not trained; in place of the model file's.")
  private List<String> freeze;

  /** Whether neither --model nor --cell was given. */
  boolean isEmpty() {
    return model == null && cell == null;
  }

  /** Takes a file in place of --model where neither --model nor --cell was given. */
  void orElse(Path file) {
    if (isEmpty()) {
      model = file;
    }
  }

  /**
   * The description of the network.
   *
   * @throws InputException unless --model or --cell is given, or if they say something wrong
   */
  ModelDescription description() {
    if ((model == null) == (cell == null)) {
      throw new InputException(
          "--model, --cell: expected one of them, got " + (model == null ? "neither" : "both"));
    }
    requireUsed("--activation", activation, Cell.rnn, Cell.leaky_rnn);
    requireUsed("--dt", dt, Cell.leaky_rnn);
    Map<String, Object> values = new LinkedHashMap<>();
    if (cell != null) {
      values.put("type", cell.toString());
    }
    put(values, "prefix", prefix);
    put(values, "activation", activation);
    put(values, "dt", dt);
    if (model != null && !values.isEmpty()) {
      String option = values.keySet().iterator().next();
      throw new InputException(
          "--" + option + ": goes with --cell; write \"" + option + "\" into " + model);
    }
    put(values, "ignore", ignore);
    put(values, "freeze", freeze);
    return model == null
        ? ModelDescription.of(values, "--cell " + cell)
        : ModelDescription.read(model).with(values);
  }

  /** Refuses an option that the cell does not read. */
  private void requireUsed(String option, Object value, Cell... cells) {
    if (value != null && cell != null && !List.of(cells).contains(cell)) {
      throw new InputException(
          option + ": goes with --cell " + Arrays.toString(cells) + ", got --cell " + cell);
    }
  }

  private static void put(Map<String, Object> values, String key, Object value) {
    if (value != null) {
      values.put(key, value);
    }
  }

  /**
   * The network of a description.
   *
   * @param readout the name of the read-out's layer, or null
   * @throws InputException if the weights are not finite numbers, or not those of the description
   */
  static LoadedModel load(
      ModelDescription description, TensorMap weights, DType dtype, String readout) {
    LoadedModel network = ModelLoader.load(description, weights, dtype, readout);
    try {
      requireFiniteReadout(network, weights, readout);
      return network;
    } catch (InputException fault) {
      network.close();
      throw fault;
    }
  }

  /** Of the layers that are not the network's, those that may read it. */
  private static void requireFiniteReadout(LoadedModel network, TensorMap weights, String readout) {
    for (String name : network.unused()) {
      String layer = name.replaceFirst("\\.(weight|bias)$", "");
      String weight = layer + ".weight";
      boolean reads =
          weights.contains(weight)
              && weights.get(weight).shape().rank() == 2
              && weights.get(weight).shape().size(1) == network.model().outputBlock().units();
      if (weights.contains(name) && reads && (readout == null || layer.equals(readout))) {
        Finite.require(weights.source() + ": " + name, weights.get(name));
      }
    }
  }
}
