package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.kpflow.base.InputException;

/**
 * The weights that analyze was given: one network's, or checkpoints of one training in their order.
 *
 * @param paths what to read
 * @param series whether there are several, or a folder of checkpoints
 */
record Checkpoints(List<Path> paths, boolean series) {
  private static final List<String> FORMS = List.of(".safetensors", ".npz");

  /** A weight matrix by PyTorch's name or ours, as a file of its own. */
  private static final Pattern PARAMETER =
      Pattern.compile("(.*\\.)?(weight|\\w+_weight|weight_\\w+|W_q|W_q_l0|mlp_W_1)\\.npy");

  /**
   * Puts the files of a folder of checkpoints in its place, in the order of the numbers in their
   * names. A folder with weights as .npy files is one checkpoint.
   *
   * @throws InputException if one is missing, or two would write into the same folder
   */
  static Checkpoints of(List<Path> given) {
    List<Path> paths = new ArrayList<>();
    boolean folder = false;
    for (Path path : given) {
      List<Path> inside = Files.isDirectory(path) ? inside(path) : List.of();
      folder |= !inside.isEmpty();
      paths.addAll(inside.isEmpty() ? List.of(path) : inside);
    }
    boolean series = folder || paths.size() > 1;
    Set<String> names = new HashSet<>();
    for (Path path : series ? paths : List.<Path>of()) {
      if (!Files.exists(path)) {
        throw new InputException(
            path + ": no such file; expected weights, or a folder of checkpoints");
      }
      if (!names.add(name(path).toLowerCase(Locale.ROOT))) {
        throw new InputException(
            "--weights: expected different names, since each checkpoint has a folder in --out; got '"
                + name(path)
                + "' twice");
      }
    }
    return new Checkpoints(List.copyOf(paths), series);
  }

  /** The file's name without its extension. */
  static String name(Path path) {
    String name = String.valueOf(path.toAbsolutePath().normalize().getFileName());
    for (String form : FORMS) {
      if (name.toLowerCase(Locale.ROOT).endsWith(form) && name.length() > form.length()) {
        return name.substring(0, name.length() - form.length());
      }
    }
    return name;
  }

  /** The checkpoints of a folder: its .safetensors files, else its .npz files. */
  private static List<Path> inside(Path folder) {
    try (Stream<Path> listed = Files.list(folder)) {
      List<Path> files =
          listed.filter(file -> !String.valueOf(file.getFileName()).startsWith(".")).toList();
      if (files.stream()
          .anyMatch(file -> PARAMETER.matcher(file.getFileName().toString()).matches())) {
        return List.of();
      }
      for (String form : FORMS) {
        List<Path> found =
            files.stream()
                .filter(file -> file.toString().toLowerCase(Locale.ROOT).endsWith(form))
                .sorted(Comparator.comparing(Checkpoints::sortable))
                .toList();
        if (!found.isEmpty()) {
          return found;
        }
      }
      return List.of();
    } catch (IOException failure) {
      throw new InputException(folder + ": cannot be read, " + failure.getMessage(), failure);
    }
  }

  /** The name with its numbers padded, so that step_9 comes before step_10. */
  static String sortable(Path file) {
    return Pattern.compile("\\d+")
        .matcher(name(file))
        .replaceAll(match -> "0".repeat(Math.max(0, 20 - match.group().length())) + match.group());
  }
}
