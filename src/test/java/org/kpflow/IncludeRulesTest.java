package org.kpflow;

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which folder of the native sources may include from which; kpflow.h is for all. */
class IncludeRulesTest {
  private static final Pattern INCLUDE = Pattern.compile("^\\s*#\\s*include\\s*\"([^\"]+)\"");
  private static final Set<String> ALL =
      Set.of("core", "cell", "linalg", "recurrent", "graph", "spectral", "train", "device", "api");

  private static final Map<String, Set<String>> MAY_INCLUDE =
      Map.ofEntries(
          entry("include", Set.of()),
          entry("core", Set.of("core")),
          entry("linalg", Set.of("core", "linalg")),
          entry("cell", Set.of("core", "cell")),
          entry("recurrent", Set.of("core", "cell", "linalg", "recurrent")),
          entry("graph", Set.of("core", "linalg", "graph")),
          entry("spectral", Set.of("core", "linalg", "spectral")),
          entry("train", Set.of("core", "linalg", "train")),
          entry(
              "device",
              Set.of(
                  "core", "cell", "linalg", "recurrent", "graph", "spectral", "train", "device")),
          entry("api", ALL));

  @Test
  void foldersIncludeOnlyFromThoseBelowThem() throws IOException {
    List<String> violations = new ArrayList<>();
    int includes = 0;
    for (String root : List.of("src/main/cpp", "src/main/cuda")) {
      Path top = Path.of(System.getProperty("basedir", "."), root);
      for (Path source : sources(top)) {
        String folder = top.relativize(source).getName(0).toString();
        Set<String> allowed = MAY_INCLUDE.getOrDefault(folder, Set.of());
        for (String included : includes(source)) {
          includes++;
          if (!included.equals("kpflow.h")
              && !allowed.contains(Path.of(included).getName(0).toString())) {
            violations.add(top.relativize(source) + " includes " + included);
          }
        }
      }
    }
    assertEquals(List.of(), violations);
    assertFalse(includes == 0, "no include was found: have the sources moved?");
  }

  private static List<Path> sources(Path top) throws IOException {
    if (!Files.isDirectory(top)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(top)) {
      return files
          .filter(file -> file.toString().matches(".*\\.(h|hpp|cpp|cuh|cu)"))
          .sorted()
          .toList();
    }
  }

  private static List<String> includes(Path source) throws IOException {
    try (Stream<String> lines = Files.lines(source)) {
      return lines
          .map(INCLUDE::matcher)
          .filter(Matcher::find)
          .map(match -> match.group(1))
          .toList();
    }
  }
}
