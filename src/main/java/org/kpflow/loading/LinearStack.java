package org.kpflow.loading;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.kpflow.base.Shape;

/**
 * Stacks of nn.Linear layers: {@code NAME.weight} [n_out, n_in], and {@code NAME.bias} [n_out]
 * where there is one. Layers whose names differ by numbers alone come in the order of the numbers;
 * others where their shapes leave one order only.
 */
final class LinearStack {
  /** Every MLP under our own names has it. */
  static final String OWN_ANCHOR = "mlp_W_1";

  /** The names that {@link org.kpflow.model.Mlp} knows. */
  static final Pattern OWN_NAMES = Pattern.compile("mlp_[Wb]_\\d+");

  private static final int MOST_STEPS = 100_000;

  private LinearStack() {}

  /** A layer; its name is without {@code .weight} and may be empty. */
  record Layer(String name, long outputs, long inputs) {
    String entry(String kind) {
      return name.isEmpty() ? kind : name + "." + kind;
    }

    /** What stands before the last part of its name. */
    String parent() {
      return name.substring(0, name.lastIndexOf('.') + 1);
    }
  }

  /** The layers whose names begin with a prefix, in natural order of their names. */
  static List<Layer> layers(Checkpoint checkpoint, String prefix) {
    List<Layer> layers = new ArrayList<>();
    for (String name : checkpoint.names()) {
      boolean weight = name.equals("weight") || name.endsWith(".weight");
      Shape shape = checkpoint.get(name).shape();
      if (weight && name.startsWith(prefix) && shape.rank() == 2) {
        String layer = name.substring(0, Math.max(0, name.length() - ".weight".length()));
        layers.add(new Layer(layer, shape.size(0), shape.size(1)));
      }
    }
    layers.sort(Comparator.comparing(Layer::name, Spelling.NATURAL));
    return layers;
  }

  /** Layers by what stands before the last part of their names. */
  static Map<String, List<Layer>> byParent(List<Layer> layers) {
    Map<String, List<Layer>> groups = new TreeMap<>();
    layers.forEach(
        layer -> groups.computeIfAbsent(layer.parent(), key -> new ArrayList<>()).add(layer));
    return groups;
  }

  /**
   * Layers that stand beside one another under names that differ by numbers alone, two or more, by
   * what the names have in common: {@code fc#}, {@code mlp.#}.
   */
  static Map<String, List<Layer>> numbered(List<Layer> layers) {
    Map<String, List<Layer>> groups = new TreeMap<>();
    for (Layer layer : layers) {
      String last = layer.name().substring(layer.parent().length());
      String stem = Spelling.stem(last);
      if (!stem.equals(last)) {
        groups.computeIfAbsent(layer.parent() + stem, key -> new ArrayList<>()).add(layer);
      }
    }
    groups.values().removeIf(group -> group.size() < 2);
    return groups;
  }

  /** What stands before the last dot that all names have in common. */
  static String commonParent(List<String> names) {
    String common = names.get(0);
    for (String name : names) {
      int length = 0;
      while (length < Math.min(common.length(), name.length())
          && common.charAt(length) == name.charAt(length)) {
        length++;
      }
      common = common.substring(0, length);
    }
    return common.substring(0, common.lastIndexOf('.') + 1);
  }

  /**
   * The layers in the order in which one reads the other.
   *
   * @throws org.kpflow.base.InputException if there is no such order, or more than one
   */
  static List<Layer> chain(Checkpoint checkpoint, List<Layer> layers) {
    List<List<Layer>> orders = orders(layers);
    if (orders.size() == 1) {
      return orders.get(0);
    }
    Map<String, String> shapes = new LinkedHashMap<>();
    layers.forEach(
        layer ->
            shapes.put(layer.entry("weight"), "[" + layer.outputs() + ", " + layer.inputs() + "]"));
    throw checkpoint.fault(
        (orders.isEmpty()
                ? "the linear layers do not fit one behind the other: "
                : "the linear layers fit in more than one order: ")
            + shapes
            + "; expected shapes [n_2, n_in], [n_3, n_2], ... in the order of numbered names, or \"names\" that say which is which");
  }

  /** At most two of the orders that shapes and numbers allow. */
  private static List<List<Layer>> orders(List<Layer> layers) {
    List<List<Layer>> found = new ArrayList<>();
    int[] steps = {MOST_STEPS};
    extend(new ArrayList<>(), new ArrayList<>(layers), found, steps);
    return steps[0] < 0 ? List.of(layers, layers) : found; // too many to look through: not one
  }

  /** Puts every layer that fits behind the last; of one stem, only the first of the numbers. */
  private static void extend(
      List<Layer> chain, List<Layer> rest, List<List<Layer>> found, int[] steps) {
    if (rest.isEmpty()) {
      found.add(List.copyOf(chain));
      return;
    }
    List<String> stems = new ArrayList<>();
    for (int i = 0; i < rest.size() && found.size() < 2 && steps[0]-- > 0; i++) {
      Layer next = rest.get(i);
      String stem = Spelling.stem(next.name());
      boolean first = !stems.contains(stem);
      stems.add(stem);
      if (first && (chain.isEmpty() || chain.get(chain.size() - 1).outputs() == next.inputs())) {
        chain.add(next);
        rest.remove(i);
        extend(chain, rest, found, steps);
        rest.add(i, next);
        chain.remove(chain.size() - 1);
      }
    }
  }

  /** The stack of a model that is nothing else; of its own names, {@code mlp_W_1} says that. */
  static FoundParameters find(Checkpoint checkpoint, ModelDescription description) {
    FoundParameters found = new FoundParameters(checkpoint);
    TreeSet<String> own = checkpoint.prefixes(OWN_ANCHOR);
    if (!own.isEmpty()) {
      String prefix = checkpoint.prefix(description.prefix(), own, "MLP", OWN_ANCHOR);
      found.own(prefix);
      found.takeAll(prefix, OWN_NAMES);
      return found;
    }
    Map<String, List<Layer>> groups = byParent(layers(checkpoint, ""));
    String prefix = description.prefix();
    if (prefix == null) {
      prefix =
          checkpoint.prefix(
              null,
              new TreeSet<>(groups.keySet()),
              "stack of linear layers",
              "0.weight or fc1.weight");
    }
    List<Layer> layers = layers(checkpoint, prefix);
    if (layers.isEmpty()) {
      throw checkpoint.fault(
          "no linear layer behind the prefix "
              + Spelling.quote(prefix)
              + "; expected one of "
              + Checkpoint.quoted(groups.keySet()));
    }
    found.own(prefix);
    take(found, chain(checkpoint, layers));
    return found;
  }

  /** Takes layers as {@code mlp_W_1}, {@code mlp_b_1}, {@code mlp_W_2}, ... */
  static void take(FoundParameters found, List<Layer> chain) {
    for (int l = 1; l <= chain.size(); l++) {
      found.take("mlp_W_" + l, chain.get(l - 1).entry("weight"));
      found.take("mlp_b_" + l, chain.get(l - 1).entry("bias"));
    }
  }
}
