package org.kpflow.loading;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.kpflow.base.InputException;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/**
 * The entries of a weight file that a model may be made of: all but those that are ignored, or
 * those that a mapping names, under the names that it gives them.
 */
final class Checkpoint {
  private static final int SHOWN = 20;

  private final String source;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> fileNames = new LinkedHashMap<>();
  private final Map<String, String> unreadable = new LinkedHashMap<>();

  private Checkpoint(String source) {
    this.source = source;
  }

  /** The file as the description looks at it; the tensors stay the file's. */
  static Checkpoint of(TensorMap file, ModelDescription description) {
    Checkpoint checkpoint = new Checkpoint(file.source());
    if (description.names() != null) {
      checkpoint.rename(file, description);
      return checkpoint;
    }
    List<Pattern> ignored = description.ignore().stream().map(Checkpoint::glob).toList();
    for (String name : file.names()) {
      if (!matches(ignored, name)) {
        checkpoint.put(name, name, file.get(name));
      }
    }
    file.skipped()
        .forEach(
            (name, reason) -> {
              if (!matches(ignored, name)) {
                checkpoint.unreadable.put(name, reason);
              }
            });
    return checkpoint;
  }

  /** The whole file. */
  static Checkpoint of(TensorMap file) {
    Checkpoint checkpoint = new Checkpoint(file.source());
    file.asMap().forEach((name, tensor) -> checkpoint.put(name, name, tensor));
    return checkpoint;
  }

  private void rename(TensorMap file, ModelDescription description) {
    description
        .names()
        .forEach(
            (parameter, name) -> {
              if (!file.contains(name)) {
                throw new InputException(
                    description.namesSource()
                        + ": '"
                        + parameter
                        + "': no parameter "
                        + Spelling.quote(name)
                        + " in "
                        + source
                        + (file.skipped().containsKey(name)
                            ? " that can be read: it " + file.skipped().get(name)
                            : Spelling.suggestion(name, file.names())
                                + " (it has "
                                + listed(file.names())
                                + ")"));
              }
              put(parameter, name, file.get(name));
            });
  }

  private void put(String name, String fileName, Tensor tensor) {
    tensors.put(name, tensor);
    fileNames.put(name, fileName);
  }

  private static boolean matches(List<Pattern> patterns, String name) {
    return patterns.stream().anyMatch(pattern -> pattern.matcher(name).matches());
  }

  /** * stands for any text, ? for one character. */
  private static Pattern glob(String text) {
    return Pattern.compile(
        text.chars()
            .mapToObj(c -> c == '*' ? ".*" : c == '?' ? "." : Pattern.quote("" + (char) c))
            .collect(Collectors.joining()),
        Pattern.DOTALL);
  }

  /** The file's path. */
  String source() {
    return source;
  }

  Collection<String> names() {
    return tensors.keySet();
  }

  /** Names of entries that hold no numbers we compute with, with the reason. */
  Map<String, String> unreadable() {
    return unreadable;
  }

  boolean has(String name) {
    return tensors.containsKey(name);
  }

  Tensor get(String name) {
    return tensors.get(name);
  }

  /** What an entry is called in the file. */
  String fileName(String name) {
    return fileNames.get(name);
  }

  /** Refuses layers that no architecture of ours has, which names and shapes show. */
  void refuseUnsupported() {
    for (String name : names()) {
      boolean batchNorm = name.equals("running_mean") || name.endsWith(".running_mean");
      boolean kernel = name.endsWith(".weight") && get(name).shape().rank() > 2;
      if (batchNorm || kernel) {
        throw fault(
            name
                + " "
                + get(name).shape()
                + ": "
                + (batchNorm ? "batch norm is" : "convolutions are")
                + " not supported; leave out on purpose what is not part of the network with \"ignore\"");
      }
    }
  }

  /** Whether it is NAME.weight [n], or NAME.bias beside it, as a norm has. */
  boolean isNorm(String name) {
    String weight = name.replaceFirst("\\.(weight|bias)$", "") + ".weight";
    return !weight.startsWith(name + ".") && has(weight) && get(weight).shape().rank() == 1;
  }

  /** The exception for a fault of the file's content. */
  InputException fault(String message) {
    return new InputException(source + ": " + message);
  }

  /** What stands before an ending in the names that have it whole: all, or after a dot. */
  TreeSet<String> prefixes(String... endings) {
    TreeSet<String> prefixes = new TreeSet<>();
    for (String name : names()) {
      for (String ending : endings) {
        if (name.equals(ending) || name.endsWith("." + ending)) {
          prefixes.add(name.substring(0, name.length() - ending.length()));
        }
      }
    }
    return prefixes;
  }

  /**
   * The prefix to use: the only one that begins as the description wants.
   *
   * @param wanted the description's, or null to find it
   * @param what what there has to be one of, for messages
   * @param example a name that says where it is, for messages
   */
  String prefix(String wanted, TreeSet<String> found, String what, String example) {
    if (found.isEmpty()) {
      throw fault(
          "no " + what + ": expected a parameter " + example + ", found " + listed(names()));
    }
    if (wanted != null && found.contains(wanted)) {
      return wanted;
    }
    List<String> fitting =
        found.stream().filter(prefix -> wanted == null || prefix.startsWith(wanted)).toList();
    if (fitting.isEmpty()) {
      throw fault(
          "no "
              + what
              + " behind the prefix "
              + Spelling.quote(wanted)
              + "; expected one of "
              + quoted(found));
    }
    if (fitting.size() > 1) {
      throw fault("more than one " + what + "; name the prefix of one, " + quoted(fitting));
    }
    return fitting.get(0);
  }

  /** The first names, for a message. */
  static String listed(Collection<String> names) {
    if (names.isEmpty()) {
      return "nothing";
    }
    int more = names.size() - SHOWN;
    return names.stream().limit(SHOWN).map(Checkpoint::plain).collect(Collectors.joining(", "))
        + (more > 0 ? " and " + more + " more" : "");
  }

  private static String plain(String name) {
    String quoted = Spelling.quote(name);
    return quoted.substring(1, quoted.length() - 1);
  }

  static String quoted(Collection<String> names) {
    List<String> shown = new ArrayList<>();
    names.stream().limit(SHOWN).forEach(name -> shown.add(Spelling.quote(name)));
    return String.join(", ", shown);
  }
}
