package org.kpflow.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * One recurrent layer in gate form (docs/theory.md, section 2), with PyTorch's parameter names and
 * layouts: {@code weight_ih_l0} [g H, n_in], {@code weight_hh_l0} [g H, H], and optionally {@code
 * bias_ih_l0}, {@code bias_hh_l0} [g H]. Subclasses name the native cell; the derivatives are in
 * src/main/cpp/cell.
 */
public abstract non-sealed class RecurrentModel implements Model {
  /** The parameter names, in the order of theta. */
  public static final List<String> NAMES =
      List.of("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0");

  private final String cell;
  private final double cellParameter;
  private final int components;
  private final DType dtype;
  private final Map<String, Tensor> weights = new LinkedHashMap<>();
  private final List<WeightFamily> families;

  /**
   * A layer with copies of the weights it needs.
   *
   * @param cell name of the native cell
   * @param gates g, gate blocks of H rows in each weight
   * @param components m, state entries per unit
   * @throws InputException if a weight is missing, has the wrong shape, or is not one this layer
   *     knows
   */
  protected RecurrentModel(
      String cell,
      double cellParameter,
      int gates,
      int components,
      boolean mayHaveBiases,
      Map<String, Tensor> parameters,
      ModelOptions options) {
    this.cell = cell;
    this.cellParameter = cellParameter;
    this.components = components;
    this.dtype = Checks.notNull(options, "options").dtype();
    Map<String, Tensor> found = ParameterNames.select(parameters, options.prefix());
    checkShapes(found, gates, mayHaveBiases);
    for (String frozen : new TreeSet<>(options.frozen())) {
      if (!found.containsKey(frozen)) {
        throw new InputException(
            "freeze: expected one of " + found.keySet() + ", got '" + frozen + "'");
      }
    }
    try {
      for (String name : NAMES) {
        if (found.containsKey(name)) {
          weights.put(name, found.get(name).to(dtype));
        }
      }
    } catch (RuntimeException failure) {
      close();
      throw failure;
    }
    List<WeightFamily> list = new ArrayList<>();
    weights.forEach(
        (name, weight) ->
            list.add(
                new WeightFamily(
                    name,
                    NAMES.indexOf(name),
                    weight.shape().size(0),
                    weight.shape().rank() == 2 ? weight.shape().size(1) : 1,
                    0,
                    name.contains("_hh_") ? WeightFamily.Side.HIDDEN : WeightFamily.Side.INPUT,
                    !options.frozen().contains(name))));
    this.families = List.copyOf(list);
  }

  private static void checkShapes(Map<String, Tensor> found, int gates, boolean mayHaveBiases) {
    for (String name : NAMES.subList(0, 2)) {
      if (!found.containsKey(name)) {
        throw new InputException("weights: " + name + " is missing; found " + found.keySet());
      }
      if (found.get(name).shape().rank() != 2) {
        throw new InputException(
            name + ": expected a matrix, got shape " + found.get(name).shape());
      }
    }
    Shape hidden = found.get("weight_hh_l0").shape();
    long units = hidden.size(1);
    if (units < 1 || hidden.size(0) != gates * units) {
      throw new InputException(
          "weight_hh_l0: expected shape [" + gates + " H, H] for this cell, got " + hidden);
    }
    Shape input = found.get("weight_ih_l0").shape();
    if (input.size(0) != gates * units || input.size(1) < 1) {
      throw new InputException(
          "weight_ih_l0: expected shape ["
              + gates * units
              + ", n_in] to go with weight_hh_l0 "
              + hidden
              + ", got "
              + input);
    }
    for (String name : NAMES.subList(2, 4)) {
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

  /** The name under which the native engine knows the cell. */
  public String cell() {
    return cell;
  }

  /** The cell's own constant (dt of the leaky cell), 0 for cells without one. */
  public double cellParameter() {
    return cellParameter;
  }

  /** H. */
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
    return components * units();
  }

  /** h, or h and c with two components. */
  @Override
  public List<StateBlock> blocks() {
    List<StateBlock> blocks = new ArrayList<>();
    for (int c = 0; c < components; c++) {
      blocks.add(new StateBlock(c == 0 ? "h" : "c", c * units(), units()));
    }
    return blocks;
  }

  @Override
  public StateBlock outputBlock() {
    return blocks().get(0);
  }

  @Override
  public List<WeightFamily> families() {
    return families;
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
        + parameterCount()
        + " trainable parameters, "
        + dtype;
  }
}
