package org.kpflow.loading;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.kpflow.tensor.Tensor;

/**
 * The parameters of one model, found in a checkpoint: by the names that the model's factory knows,
 * each with where it stands in the file. The tensors are views of the file's.
 */
final class FoundParameters {
  private final Checkpoint checkpoint;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> sources = new LinkedHashMap<>();
  private final Set<String> used = new LinkedHashSet<>();
  private final Set<String> prefixes = new LinkedHashSet<>();
  private String neighbourhood;

  FoundParameters(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /** Notes that names behind a prefix belong to the model. */
  void own(String prefix) {
    prefixes.add(prefix);
  }

  /** Notes what stands before the names of all parts of the model, and of what is between them. */
  void surround(String prefix) {
    neighbourhood = prefix;
  }

  /** Takes an entry as a parameter, if the file has it. */
  void take(String parameter, String entry) {
    if (checkpoint.has(entry)) {
      used.add(entry);
      tensors.put(parameter, checkpoint.get(entry));
      sources.put(parameter, checkpoint.fileName(entry));
    }
  }

  /** Takes what stands behind a prefix under names of a pattern, by these names. */
  void takeAll(String prefix, Pattern names) {
    for (String entry : checkpoint.names()) {
      if (entry.startsWith(prefix) && names.matcher(entry.substring(prefix.length())).matches()) {
        take(entry.substring(prefix.length()), entry);
      }
    }
  }

  /**
   * Takes the rows of an entry in equal parts as several parameters, if the file has it.
   *
   * @throws org.kpflow.base.InputException if they cannot be cut so
   */
  void takeRows(String entry, String... parameters) {
    if (!checkpoint.has(entry)) {
      return;
    }
    Tensor whole = checkpoint.get(entry);
    int parts = parameters.length;
    if (whole.shape().rank() < 1 || whole.shape().size(0) % parts != 0) {
      throw checkpoint.fault(
          checkpoint.fileName(entry)
              + ": expected a number of rows that "
              + parts
              + " divides, got shape "
              + whole.shape());
    }
    used.add(entry);
    long rows = whole.shape().size(0) / parts;
    for (int part = 0; part < parts; part++) {
      tensors.put(parameters[part], whole.slice(part * rows, rows));
      sources.put(
          parameters[part],
          checkpoint.fileName(entry) + "[" + part * rows + ":" + (part + 1) * rows + "]");
    }
  }

  /** By parameter. */
  Map<String, Tensor> tensors() {
    return tensors;
  }

  /** Where each parameter stands in the file, such as {@code in_proj_weight[0:8]}. */
  Map<String, String> sources() {
    return sources;
  }

  /** The entries of the checkpoint that were taken. */
  Set<String> used() {
    return used;
  }

  /** What {@link #surround} noted, or null. */
  String neighbourhood() {
    return neighbourhood;
  }

  /** What stands before the model's own names. */
  Set<String> prefixes() {
    return prefixes;
  }
}
