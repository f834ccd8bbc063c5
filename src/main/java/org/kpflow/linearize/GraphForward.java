package org.kpflow.linearize;

import java.util.ArrayList;
import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.model.GraphModel;
import org.kpflow.nativelib.GraphDescription;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.NativeMemory;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Describes a feed-forward model to the engine, which runs it. */
final class GraphForward {
  private GraphForward() {}

  /**
   * The linearization along the model's own state, or a given one.
   *
   * @param inputs [B, T, n_in], or [B, n_in] for one step
   * @param trajectory [B, T, n] or null
   * @param old a linearization whose memory is taken over, or null
   */
  static LinearizationHandle linearize(
      ExecutionContext context,
      GraphModel model,
      Tensor inputs,
      Tensor trajectory,
      LinearizationHandle old) {
    Shape given = inputs.shape();
    Checks.that(
        given.rank() == 2 || given.rank() == 3,
        "inputs: expected shape [B, T, n_in] or [B, n_in], got %s",
        given);
    long trials = given.size(0);
    long steps = given.rank() == 3 ? given.size(1) : 1;
    Checks.that(
        trials >= 1 && steps >= 1,
        "inputs: expected at least one trial and one step, got %s",
        given);
    Shape sequence = Shape.of(trials, steps, given.size(given.rank() - 1)).named("B", "T", "n_in");
    Checks.shape(
        "inputs", Shape.of(trials, steps, model.inputs()).named("B", "T", "n_in"), sequence);
    if (trajectory != null) {
      Checks.shape(
          "trajectory", Shape.state(trials, steps, model.stateUnits()), trajectory.shape());
    }
    try (Tensor x = inputs.to(model.dtype());
        Tensor path = trajectory == null ? null : trajectory.to(model.dtype())) {
      GraphDescription description =
          new GraphDescription(
              model.dtype(),
              trials,
              steps,
              model.inputs(),
              nodes(model),
              x.memory(),
              path == null ? null : path.memory());
      return old == null
          ? LinearizationHandle.graph(context.handle(), description)
          : old.replaced(description);
    }
  }

  private static List<GraphDescription.Node> nodes(GraphModel model) {
    List<String> names = model.nodes().stream().map(GraphModel.Node::name).toList();
    List<GraphDescription.Node> nodes = new ArrayList<>();
    for (GraphModel.Node node : model.nodes()) {
      nodes.add(
          new GraphDescription.Node(
              node.name(),
              node.kind().ordinal(),
              node.activation().ordinal(),
              trains(model, node.weight()),
              trains(model, node.bias()),
              node.causal(),
              node.units(),
              node.heads(),
              node.inputs().stream().mapToLong(names::indexOf).toArray(), // x is none of them: -1
              node.epsilon(),
              memory(model, node.weight()),
              memory(model, node.bias())));
    }
    return nodes;
  }

  private static boolean trains(GraphModel model, String name) {
    return model.families().stream()
        .anyMatch(family -> family.name().equals(name) && family.trainable());
  }

  private static NativeMemory memory(GraphModel model, String name) {
    return name == null ? null : model.weight(name).memory();
  }
}
