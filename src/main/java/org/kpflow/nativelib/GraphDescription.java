package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.kpflow.base.DType;

/**
 * What a feed-forward graph is and reads; arrays of one dtype, trajectory null when absent.
 *
 * @param nodes in topological order
 */
public record GraphDescription(
    DType dtype,
    long trials,
    long steps,
    long inputs,
    List<Node> nodes,
    NativeMemory input,
    NativeMemory trajectory) {

  /**
   * One node; codes are those of kpflow.h, weight and bias null when absent.
   *
   * @param name for messages
   * @param inputs earlier nodes, or -1 for x
   */
  public record Node(
      String name,
      int kind,
      int activation,
      boolean trainsWeight,
      boolean trainsBias,
      boolean causal,
      long units,
      long heads,
      long[] inputs,
      double epsilon,
      NativeMemory weight,
      NativeMemory bias) {}

  /** Makes sure that no array is shorter than the sizes say; the sizes are checked natively. */
  private NativeMemory[] checkedMemory() {
    List<NativeMemory> used = new ArrayList<>(List.of(input));
    Engine.holds(input, dtype, Engine.product(trials, steps, inputs));
    long state = 0;
    for (Node node : nodes) {
      state = Math.addExact(state, node.units());
      if (node.weight() != null) {
        boolean linear = node.kind() == Kpflow.KPFLOW_NODE_LINEAR;
        long columns = linear ? width(node.inputs()[0]) : 1;
        Engine.holds(node.weight(), dtype, Engine.product(node.units(), columns));
        used.add(node.weight());
      }
      if (node.bias() != null) {
        Engine.holds(node.bias(), dtype, node.units());
        used.add(node.bias());
      }
    }
    if (trajectory != null) {
      Engine.holds(trajectory, dtype, Engine.product(trials, steps, state));
      used.add(trajectory);
    }
    return used.toArray(NativeMemory[]::new);
  }

  private long width(long source) {
    Engine.require(
        source >= -1 && source < nodes.size(), "input: expected a node or -1, got " + source);
    return source < 0 ? inputs : nodes.get((int) source).units();
  }

  interface Call {
    int status(NativeContext context, kpflow_graph description, kpflow_monitor monitor);
  }

  /** Makes a native call with this description, whose memory is kept alive. */
  void run(ContextHandle context, Call call) {
    NativeMemory[] used = checkedMemory();
    List<BytePointer> names = nodes.stream().map(node -> new BytePointer(node.name())).toList();
    try (kpflow_graph description = new kpflow_graph();
        kpflow_node array = new kpflow_node(Math.max(nodes.size(), 1))) {
      context.monitoredAnywhere(
          (c, monitor) -> {
            for (int j = 0; j < nodes.size(); j++) {
              write(nodes.get(j), names.get(j), array.position(j));
            }
            description
                .dtype(dtype.nativeCode())
                .trials(trials)
                .steps(steps)
                .inputs(inputs)
                .count(nodes.size())
                .nodes(array.position(0))
                .input(input.pointer())
                .trajectory(Engine.pointerOrNull(trajectory));
            return call.status(c, description, monitor);
          },
          used);
    } finally {
      names.forEach(BytePointer::close);
    }
  }

  private static void write(Node node, BytePointer name, kpflow_node target) {
    target
        .name(name)
        .kind(node.kind())
        .activation(node.activation())
        .trainable((node.trainsWeight() ? 1 : 0) | (node.trainsBias() ? 2 : 0))
        .causal(node.causal() ? 1 : 0)
        .units(node.units())
        .heads(node.heads())
        .epsilon(node.epsilon())
        .weight(Engine.pointerOrNull(node.weight()))
        .bias(Engine.pointerOrNull(node.bias()));
    for (int i = 0; i < node.inputs().length; i++) {
      target.inputs(i, node.inputs()[i]);
    }
  }
}
