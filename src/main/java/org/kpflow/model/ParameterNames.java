package org.kpflow.model;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/** Finds one recurrent model's parameters among the names of a checkpoint. */
final class ParameterNames {
  private static final String ANCHOR = "weight_hh_l0";
  private static final Pattern KNOWN =
      Pattern.compile("(weight|bias)_(ih|hh)_l(0|[1-9][0-9]{0,8})");
  private static final Pattern SIMILAR = Pattern.compile("(weight|bias)_(ih|hh|hr)(_.*)?");
  private static final Pattern UNSUPPORTED =
      Pattern.compile("(weight|bias)_(hr_l.*|(ih|hh)_l[0-9]+_reverse)");

  private ParameterNames() {}

  /**
   * The parameters behind a prefix, by their names without it; a null prefix is the only one that
   * has {@value #ANCHOR}.
   */
  static Map<String, Tensor> select(Map<String, Tensor> parameters, String prefix) {
    Checks.notNull(parameters, "weights");
    String before = prefix != null ? prefix : findPrefix(parameters);
    Map<String, Tensor> selected = new LinkedHashMap<>();
    TreeSet<String> unsupported = new TreeSet<>();
    TreeSet<String> unknown = new TreeSet<>();
    parameters.forEach(
        (name, tensor) -> {
          if (tensor != null && name.startsWith(before)) {
            String bare = name.substring(before.length());
            if (KNOWN.matcher(bare).matches()) {
              selected.put(bare, tensor);
            } else if (UNSUPPORTED.matcher(bare).matches()) {
              unsupported.add(name);
            } else if (SIMILAR.matcher(bare).matches()) {
              unknown.add(name);
            }
          }
        });
    if (!unsupported.isEmpty()) {
      throw new InputException(
          "weights: "
              + unsupported
              + ": a bidirectional layer or one with projections (proj_size) is not supported;"
              + " expected layers in one direction");
    }
    if (!unknown.isEmpty()) {
      throw new InputException(
          "weights: expected names such as weight_ih_l0, got also "
              + unknown
              + ", which no layer has");
    }
    return selected;
  }

  /** The number of layers that the names speak of, whether or not they are complete. */
  static int layers(Map<String, Tensor> selected) {
    return selected.keySet().stream()
        .mapToInt(name -> 1 + Integer.parseInt(name.substring(name.lastIndexOf("_l") + 2)))
        .max()
        .orElse(1);
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
          "weights: several networks, " + prefixes + "; name one with the option prefix");
    }
    return prefixes.first();
  }
}
