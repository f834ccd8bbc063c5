package org.kpflow.model;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * A feed-forward network on sequences: nodes in topological order, each of them a block of the
 * state (docs/theory.md, section 4). {@link AttentionBlock}, {@link Mlp} and {@link Transformer}
 * build the usual ones; {@link Builder} builds any other.
 */
public final class GraphModel implements Model {
  /** The name by which nodes read the model's input x. */
  public static final String INPUT = "x";

  /** What a node computes; the order is that of kpflow.h's enum kpflow_node_kind. */
  public enum Kind {
    /** φ(W v + b) of one input v. */
    LINEAR,
    /** softmax(Q Kᵀ / √d) Z over the steps of a trial, per head, of three inputs. */
    ATTENTION,
    /** γ ⊙ (v - mean v) / √(var v + ε) + β of one input v, over its units. */
    LAYER_NORM,
    /** The sum of two inputs. */
    ADD
  }

  /**
   * One node.
   *
   * @param inputs names of earlier nodes, or {@value GraphModel#INPUT}
   * @param units width of its output
   * @param activation φ of a linear node; LINEAR for all others
   * @param heads of attention; 0 for all others
   * @param causal whether a query sees only keys that are not later
   * @param epsilon ε of a layer norm; 0 for all others
   * @param weight the name of its weight (γ), or null
   * @param bias the name of its bias (β), or null
   */
  public record Node(
      String name,
      Kind kind,
      List<String> inputs,
      long units,
      Activation activation,
      int heads,
      boolean causal,
      double epsilon,
      String weight,
      String bias) {}

  private final String description;
  private final DType dtype;
  private final long inputs;
  private final List<Node> nodes;
  private final Map<String, Tensor> weights;
  private final List<WeightFamily> families;
  private final List<StateBlock> blocks;

  private GraphModel(Builder builder) {
    this.description = builder.description;
    this.dtype = builder.options.dtype();
    this.inputs = builder.inputs;
    this.nodes = List.copyOf(builder.nodes.values());
    this.weights = builder.weights;
    this.families = families(builder.options);
    List<StateBlock> found = new ArrayList<>();
    long begin = 0;
    for (Node node : nodes) {
      found.add(new StateBlock(node.name(), begin, node.units()));
      begin += node.units();
    }
    this.blocks = List.copyOf(found);
  }

  /** Family 2 j is the weight of node j, family 2 j + 1 its bias; theta has them in this order. */
  private List<WeightFamily> families(ModelOptions options) {
    List<WeightFamily> list = new ArrayList<>();
    for (int j = 0; j < nodes.size(); j++) {
      Node node = nodes.get(j);
      Set<String> reached = reached(j);
      if (node.weight() != null) {
        boolean norm = node.kind() == Kind.LAYER_NORM;
        list.add(
            new WeightFamily(
                node.weight(),
                2 * j,
                node.units(),
                norm ? node.units() : weights.get(node.weight()).shape().size(1),
                j,
                norm ? WeightFamily.Side.ELEMENTWISE : WeightFamily.Side.INPUT,
                !options.frozen().contains(node.weight()),
                reached));
      }
      if (node.bias() != null) {
        list.add(
            new WeightFamily(
                node.bias(),
                2 * j + 1,
                node.units(),
                1,
                j,
                WeightFamily.Side.INPUT,
                !options.frozen().contains(node.bias()),
                reached));
      }
    }
    return List.copyOf(list);
  }

  /** The names of a node and of all that depend on it. */
  private Set<String> reached(int j) {
    Set<String> names = new HashSet<>(Set.of(nodes.get(j).name()));
    for (Node later : nodes.subList(j + 1, nodes.size())) {
      if (later.inputs().stream().anyMatch(names::contains)) {
        names.add(later.name());
      }
    }
    return names;
  }

  /**
   * Starts a model.
   *
   * @param description a few words for reports, such as {@code attention block, 2 heads}
   * @param inputs n_in
   */
  public static Builder builder(String description, long inputs, ModelOptions options) {
    return new Builder(description, inputs, options);
  }

  /** Adds nodes one by one; what a node reads has to be there. Close it if it was not built. */
  public static final class Builder implements AutoCloseable {
    private final String description;
    private final long inputs;
    private final ModelOptions options;
    private final Map<String, Node> nodes = new LinkedHashMap<>();
    private Map<String, Tensor> weights = new LinkedHashMap<>();

    private Builder(String description, long inputs, ModelOptions options) {
      Checks.that(inputs >= 1, "inputs: expected at least 1, got %d", inputs);
      this.description = Checks.notNull(description, "description");
      this.inputs = inputs;
      this.options = Checks.notNull(options, "options");
    }

    /** Units of a node, or of x. */
    public long units(String name) {
      if (INPUT.equals(name)) {
        return inputs;
      }
      Checks.that(
          nodes.containsKey(name),
          "input: expected %s or one of %s, got '%s'",
          INPUT,
          nodes.keySet(),
          name);
      return nodes.get(name).units();
    }

    /**
     * φ(W v + b).
     *
     * @param weightName the parameter's name
     * @param weight W [units, units of the input]; copied
     * @param bias b [units], or null for none; copied
     */
    public Builder linear(
        String name,
        String input,
        String weightName,
        Tensor weight,
        String biasName,
        Tensor bias,
        Activation activation) {
      if (weight == null) {
        throw new InputException("weights: " + weightName + " is missing");
      }
      long width = units(input);
      if (weight.shape().rank() != 2
          || weight.shape().size(0) < 1
          || weight.shape().size(1) != width) {
        throw new InputException(
            weightName
                + ": expected shape [n, "
                + width
                + "] to read "
                + input
                + ", got "
                + weight.shape());
      }
      long units = weight.shape().size(0);
      add(
          new Node(
              name,
              Kind.LINEAR,
              List.of(input),
              units,
              Checks.notNull(activation, "activation"),
              0,
              false,
              0,
              weightName,
              bias == null ? null : biasName));
      keep(weightName, weight, Shape.of(units, width));
      keep(biasName, bias, Shape.of(units));
      return this;
    }

    /**
     * softmax(Q Kᵀ / √d) Z per head, d = units / heads; head j owns units j d to (j + 1) d - 1.
     *
     * @param causal whether a query sees only keys that are not later
     */
    public Builder attention(
        String name, String queries, String keys, String values, int heads, boolean causal) {
      long units = units(queries);
      Checks.that(
          units(keys) == units && units(values) == units,
          "%s: expected queries, keys and values of one width, got %d, %d and %d",
          name,
          units,
          units(keys),
          units(values));
      if (heads < 1 || units % heads != 0) {
        throw new InputException(
            "heads: expected a divisor of the "
                + units
                + " units of "
                + queries
                + ", got "
                + heads);
      }
      return add(
          new Node(
              name,
              Kind.ATTENTION,
              List.of(queries, keys, values),
              units,
              Activation.LINEAR,
              heads,
              causal,
              0,
              null,
              null));
    }

    /**
     * γ ⊙ (v - mean v) / √(var v + ε) + β, var without Bessel's correction.
     *
     * @param weight γ [units], or null for ones; copied
     * @param bias β [units], or null for none; copied
     */
    public Builder layerNorm(
        String name,
        String input,
        String weightName,
        Tensor weight,
        String biasName,
        Tensor bias,
        double epsilon) {
      Checks.that(epsilon > 0, "epsilon: expected above 0, got %s", epsilon);
      long units = units(input);
      add(
          new Node(
              name,
              Kind.LAYER_NORM,
              List.of(input),
              units,
              Activation.LINEAR,
              0,
              false,
              epsilon,
              weight == null ? null : weightName,
              bias == null ? null : biasName));
      keep(weightName, weight, Shape.of(units));
      keep(biasName, bias, Shape.of(units));
      return this;
    }

    /** The sum of two nodes, as of a residual connection. */
    public Builder add(String name, String first, String second) {
      if (units(first) != units(second)) {
        throw new InputException(
            String.format(
                "%s: expected %s and %s of one width to add, got %d and %d",
                name, first, second, units(first), units(second)));
      }
      return add(
          new Node(
              name,
              Kind.ADD,
              List.of(first, second),
              units(first),
              Activation.LINEAR,
              0,
              false,
              0,
              null,
              null));
    }

    private Builder add(Node node) {
      Checks.that(
          !INPUT.equals(node.name()) && !nodes.containsKey(node.name()),
          "name: expected a new one, got '%s'",
          node.name());
      nodes.put(node.name(), node);
      return this;
    }

    private void keep(String name, Tensor tensor, Shape expected) {
      if (tensor == null) {
        return;
      }
      Checks.that(
          name != null && !weights.containsKey(name),
          "parameter: expected a new name, got '%s'",
          name);
      if (!tensor.shape().equals(expected)) {
        throw new InputException(name + ": expected shape " + expected + ", got " + tensor.shape());
      }
      weights.put(name, tensor.to(options.dtype()));
    }

    /**
     * The model; the builder ends.
     *
     * @throws InputException if a frozen name is not one of the parameters
     */
    public GraphModel build() {
      Checks.that(!nodes.isEmpty(), "nodes: expected at least one");
      for (String frozen : new TreeSet<>(options.frozen())) {
        if (!weights.containsKey(frozen)) {
          throw new InputException(
              "freeze: expected one of " + weights.keySet() + ", got '" + frozen + "'");
        }
      }
      GraphModel model = new GraphModel(this);
      weights = new LinkedHashMap<>();
      return model;
    }

    @Override
    public void close() {
      weights.values().forEach(Tensor::close);
    }
  }

  /** The nodes in topological order. */
  public List<Node> nodes() {
    return nodes;
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public long inputs() {
    return inputs;
  }

  @Override
  public long stateUnits() {
    return nodes.stream().mapToLong(Node::units).sum();
  }

  /** One block per node. */
  @Override
  public List<StateBlock> blocks() {
    return blocks;
  }

  @Override
  public StateBlock outputBlock() {
    return blocks.get(blocks.size() - 1);
  }

  @Override
  public List<WeightFamily> families() {
    return families;
  }

  @Override
  public void moveTo(Device device) {
    Model.move(weights, Checks.notNull(device, "device"));
  }

  @Override
  public Tensor weight(String family) {
    Tensor weight = weights.get(family);
    Checks.that(weight != null, "family: expected one of %s, got '%s'", weights.keySet(), family);
    return weight;
  }

  @Override
  public void close() {
    weights.values().forEach(Tensor::close);
  }

  @Override
  public String toString() {
    return description
        + ", "
        + inputs
        + " inputs, "
        + stateUnits()
        + " units in "
        + nodes.size()
        + " blocks, "
        + parameterCount()
        + " trainable parameters, "
        + dtype;
  }
}
