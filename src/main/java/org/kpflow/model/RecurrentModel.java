package org.kpflow.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * Recurrent layers in gate form (docs/theory.md, section 2), with PyTorch's parameter names and
 * layouts: {@code weight_ih_l0} [g H, n_in], {@code weight_hh_l0} [g H, H], and optionally {@code
 * bias_ih_l0}, {@code bias_hh_l0} [g H]; then the same with l1 and so on, where {@code
 * weight_ih_l1} is [g H, H]. A layer reads h of the one below at the same step; all have the same
 * cell and H. The state is [h_l0; h_l1; …], for the LSTM [h_l0; c_l0; h_l1; …]. Subclasses name the
 * cell: one of src/main/cpp/cell, or a {@link CellFunction}.
 */
public abstract non-sealed class RecurrentModel implements Model {
  /** The parameter names of the first layer, in the order of theta. */
  public static final List<String> NAMES = names(0);

  private final String cell;
  private final double cellParameter;
  private final int gates;
  private final List<String> components;
  private final int layers;
  private final DType dtype;
  private final Map<String, Tensor> weights = new LinkedHashMap<>();
  private final List<WeightFamily> families;

  /**
   * A model with copies of the weights it needs.
   *
   * @param cell name of the native cell
   * @param gates g, gate blocks of H rows in each weight
   * @param components the names of the m state entries per unit; the first is what is read
   * @throws InputException if a weight is missing, has the wrong shape, or is not one this model
   *     knows
   */
  protected RecurrentModel(
      String cell,
      double cellParameter,
      int gates,
      List<String> components,
      boolean mayHaveBiases,
      Map<String, Tensor> parameters,
      ModelOptions options) {
    this.cell = cell;
    this.cellParameter = cellParameter;
    this.gates = gates;
    this.components = List.copyOf(components);
    this.dtype = Checks.notNull(options, "options").dtype();
    Map<String, Tensor> found = ParameterNames.select(parameters, options.prefix());
    this.layers = ParameterNames.layers(found);
    for (int layer = 0; layer < layers; layer++) {
      checkShapes(found, layer, gates, mayHaveBiases);
    }
    for (String frozen : new TreeSet<>(options.frozen())) {
      if (!found.containsKey(frozen)) {
        throw new InputException(
            "freeze: expected one of " + found.keySet() + ", got '" + frozen + "'");
      }
    }
    try {
      for (int layer = 0; layer < layers; layer++) {
        for (String name : names(layer)) {
          if (found.containsKey(name)) {
            weights.put(name, found.get(name).to(dtype));
          }
        }
      }
    } catch (RuntimeException failure) {
      close();
      throw failure;
    }
    List<WeightFamily> list = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      for (String name : names(layer)) {
        if (weights.containsKey(name)) {
          list.add(family(name, layer, !options.frozen().contains(name)));
        }
      }
    }
    this.families = List.copyOf(list);
  }

  private static List<String> names(int layer) {
    return List.of(
        "weight_ih_l" + layer, "weight_hh_l" + layer, "bias_ih_l" + layer, "bias_hh_l" + layer);
  }

  private WeightFamily family(String name, int layer, boolean trainable) {
    Shape shape = weights.get(name).shape();
    List<String> names = names(layer);
    return new WeightFamily(
        name,
        names.size() * layer + names.indexOf(name),
        shape.size(0),
        shape.rank() == 2 ? shape.size(1) : 1,
        layer,
        name.contains("_hh_") ? WeightFamily.Side.HIDDEN : WeightFamily.Side.INPUT,
        trainable,
        blocks().stream()
            .skip((long) layer * components())
            .map(StateBlock::name)
            .collect(Collectors.toSet()));
  }

  private static void checkShapes(
      Map<String, Tensor> found, int layer, int gates, boolean mayHaveBiases) {
    List<String> names = names(layer);
    for (String name : names.subList(0, 2)) {
      if (!found.containsKey(name)) {
        throw new InputException("weights: " + name + " is missing; found " + found.keySet());
      }
      if (found.get(name).shape().rank() != 2) {
        throw new InputException(
            name + ": expected a matrix, got shape " + found.get(name).shape());
      }
    }
    Shape first = found.get("weight_hh_l0").shape();
    long units = first.size(1);
    Shape hidden = found.get(names.get(1)).shape();
    if (units < 1 || first.size(0) != gates * units) {
      throw new InputException(
          "weight_hh_l0: expected shape [" + gates + " H, H] for this cell, got " + first);
    }
    if (!hidden.equals(first)) {
      throw new InputException(
          names.get(1)
              + ": expected shape "
              + first
              + " as weight_hh_l0, since all layers have the same H, got "
              + hidden);
    }
    Shape input = found.get(names.get(0)).shape();
    if (input.size(0) != gates * units
        || (layer == 0 ? input.size(1) < 1 : input.size(1) != units)) {
      throw new InputException(
          names.get(0)
              + ": expected shape ["
              + gates * units
              + ", "
              + (layer == 0 ? "n_in" : units)
              + "] to go with "
              + names.get(1)
              + " "
              + hidden
              + ", got "
              + input);
    }
    for (String name : names.subList(2, 4)) {
      if (found.containsKey(name)) {
        if (!mayHaveBiases) {
          throw new InputException(name + ": this cell has no biases; remove it from the weights");
        }
        if (!found.get(name).shape().equals(Shape.of(gates * units))) {
          throw new InputException(
              name + ": expected shape [" + gates * units + "], got " + found.get(name).shape());
        }
      }
    }
  }

  /** The cell's name: the one that the native engine knows, unless it is a {@link CellFunction}. */
  public String cell() {
    return cell;
  }

  /** The cell's own constant (dt of the leaky cell), 0 for cells without one. */
  public double cellParameter() {
    return cellParameter;
  }

  /** g. */
  public int gates() {
    return gates;
  }

  /** m, the state entries per unit. */
  public int components() {
    return components.size();
  }

  /** L, the number of layers. */
  public int layers() {
    return layers;
  }

  /** H, of every layer. */
  public long units() {
    return weights.get("weight_hh_l0").shape().size(1);
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public long inputs() {
    return weights.get("weight_ih_l0").shape().size(1);
  }

  @Override
  public long stateUnits() {
    return layers * components() * units();
  }

  /** h, or h and c with two components; h_l0, h_l1 and so on with several layers. */
  @Override
  public List<StateBlock> blocks() {
    List<StateBlock> blocks = new ArrayList<>();
    for (int layer = 0; layer < layers; layer++) {
      for (String component : components) {
        String name = layers == 1 ? component : component + "_l" + layer;
        blocks.add(new StateBlock(name, blocks.size() * units(), units()));
      }
    }
    return blocks;
  }

  @Override
  public StateBlock outputBlock() {
    return blocks().get((layers - 1) * components());
  }

  @Override
  public List<WeightFamily> families() {
    return families;
  }

  /** Whether there is a parameter array of a name. */
  public boolean hasWeight(String family) {
    return weights.containsKey(family);
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
    return cell
        + ", "
        + inputs()
        + " inputs, "
        + units()
        + " units, "
        + (layers == 1 ? "" : layers + " layers, ")
        + parameterCount()
        + " trainable parameters, "
        + dtype;
  }
}
