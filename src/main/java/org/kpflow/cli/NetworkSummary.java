package org.kpflow.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.LoadedModel;
import org.kpflow.model.CellModel;
import org.kpflow.model.GraphModel;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.Model;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;

/**
 * How a weight file was understood, for describe.
 *
 * @param stateUnits n
 * @param parameters all scalars of the network
 * @param trainable p, those that are trained
 * @param output the block that a read-out reads
 */
record NetworkSummary(
    String weights,
    String type,
    int layers,
    long inputs,
    long stateUnits,
    long parameters,
    long trainable,
    Set<String> prefixes,
    List<StateBlock> blocks,
    String output,
    List<Family> families,
    List<Entry> notUsed) {
  /** A parameter: where it stands in the file, and the site it acts on. */
  record Family(String name, long[] shape, String site, boolean trained, String source) {}

  /** A name in the file; the shape is null where the entry is not an array of numbers we read. */
  record Entry(String name, long[] shape) {}

  static NetworkSummary of(LoadedModel network, TensorMap file) {
    Model model = network.model();
    List<Family> families = new ArrayList<>();
    long parameters = 0;
    for (WeightFamily family : model.families()) {
      parameters += family.size();
      families.add(
          new Family(
              family.name(),
              model.weight(family.name()).shape().sizes(),
              site(model, network.layers(), family),
              family.trainable(),
              network.sources().get(family.name())));
    }
    return new NetworkSummary(
        file.source(),
        network.description().type().toString(),
        network.layers(),
        model.inputs(),
        model.stateUnits(),
        parameters,
        model.parameterCount(),
        new TreeSet<>(network.prefixes()),
        model.blocks(),
        model.outputBlock().name(),
        families,
        network.unused().stream()
            .map(
                name ->
                    new Entry(name, file.contains(name) ? file.get(name).shape().sizes() : null))
            .toList());
  }

  /** What the family is multiplied with. */
  private static String site(Model model, int layers, WeightFamily family) {
    if (model instanceof GraphModel graph) {
      GraphModel.Node node = graph.nodes().get(family.layer());
      String input = node.inputs().get(0);
      return family.name().equals(node.bias())
          ? "1"
          : family.side() == WeightFamily.Side.ELEMENTWISE ? input + ", normalized" : input;
    }
    if (family.name().startsWith("bias")) {
      return "1";
    }
    if (family.side() == WeightFamily.Side.HIDDEN) {
      if (model instanceof CellModel cells && cells.stepsPerInput() > 1) {
        return "h + c dt k, a stage before";
      }
      String state = layers > 1 ? "h_l" + family.layer() : "h";
      return (model instanceof LeakyRnn ? "φ(" + state + ")" : state) + ", a step before";
    }
    return family.layer() == 0 ? "x" : "h_l" + (family.layer() - 1);
  }
}
