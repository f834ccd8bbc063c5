package org.kpflow.model;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.kpflow.base.Checks;
import org.kpflow.tensor.Tensor;

/**
 * A recurrent model with a cell written in Java; names and shapes of the weights are those of
 * {@link RecurrentModel}, biases may be there or not, and so may more layers.
 */
public class CellModel extends RecurrentModel {
  private static final int MOST = 32;
  private static final Pattern NAME = Pattern.compile("\\p{L}[\\p{L}\\p{N}_]*");

  private final CellFunction function;
  private final int stages;

  /**
   * The layers of the given weights.
   *
   * @param name what to call the cell
   * @throws IllegalArgumentException for a cell with counts out of range
   * @throws org.kpflow.base.InputException as {@link RecurrentModel}
   */
  public CellModel(
      String name, CellFunction function, Map<String, Tensor> parameters, ModelOptions options) {
    super(
        Checks.notNull(name, "name"),
        0,
        gates(Checks.notNull(function, "function")),
        componentNames(function),
        true,
        parameters,
        options);
    this.function = function;
    this.stages = function.stages();
  }

  private static int gates(CellFunction function) {
    Checks.range("stages", function.stages(), 1, Integer.MAX_VALUE);
    return (int) Checks.range("gates", function.gates(), 1, MOST);
  }

  private static List<String> componentNames(CellFunction function) {
    long components = Checks.range("components", function.components(), 1, MOST);
    List<String> names = Checks.notNull(function.componentNames(), "componentNames");
    Checks.that(
        names.size() == components && new HashSet<>(names).size() == components,
        "componentNames: expected %d different names, got %s",
        components,
        names);
    for (String name : names) {
      Checks.that(
          name != null && NAME.matcher(name).matches() && !name.equals("all"),
          "componentNames: expected letters, digits and _, a letter first, and not 'all', since they"
              + " name blocks of the state; got '%s'",
          name);
    }
    return names;
  }

  /** The cell. */
  public CellFunction function() {
    return function;
  }

  /** The steps for which every input is held. */
  @Override
  public long stepsPerInput() {
    return stages;
  }
}
