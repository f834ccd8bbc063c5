package org.kpflow.model;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/** Finds one recurrent layer's parameters among the names of a checkpoint. */
final class ParameterNames {
  private static final String ANCHOR = "weight_hh_l0";

  private ParameterNames() {}

  /**
   * The parameters behind a prefix, by their names without it; a null prefix is the only one that
   * has {@value #ANCHOR}.
   */
  static Map<String, Tensor> select(Map<String, Tensor> parameters, String prefix) {
    Checks.notNull(parameters, "weights");
    String before = prefix != null ? prefix : findPrefix(parameters);
    Map<String, Tensor> selected = new LinkedHashMap<>();
    TreeSet<String> unknown = new TreeSet<>();
    parameters.forEach(
        (name, tensor) -> {
          if (tensor != null && name.startsWith(before)) {
            String bare = name.substring(before.length());
            if (RecurrentModel.NAMES.contains(bare)) {
              selected.put(bare, tensor);
            } else if (bare.matches("(weight|bias)_(ih|hh|hr)_l.*")) {
              unknown.add(name);
            }
          }
        });
    if (!unknown.isEmpty()) {
      throw new InputException(
          "weights: "
              + unknown
              + " belong to a stacked, bidirectional or projected layer; expected a single layer in one direction");
    }
    return selected;
  }

  private static String findPrefix(Map<String, Tensor> parameters) {
    TreeSet<String> prefixes = new TreeSet<>();
    for (String name : parameters.keySet()) {
      if (name.equals(ANCHOR) || name.endsWith("." + ANCHOR)) {
        prefixes.add(name.substring(0, name.length() - ANCHOR.length()));
      }
    }
    if (prefixes.isEmpty()) {
      throw new InputException("weights: " + ANCHOR + " is missing; found " + parameters.keySet());
    }
    if (prefixes.size() > 1) {
      throw new InputException(
          "weights: several layers, " + prefixes + "; name one with the option prefix");
    }
    return prefixes.first();
  }
}
