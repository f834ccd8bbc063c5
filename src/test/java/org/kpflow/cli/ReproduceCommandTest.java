package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class ReproduceCommandTest {
  @TempDir private Path directory;

  @Test
  void aFigureIsComputedOnceAndAFailedClaimShowsInTheExitCode() throws IOException {
    JsonNode first = reproduce(Exit.CHECK_FAILED).get(0);
    assertEquals("fig7", first.get("figure").asText());
    assertEquals(1, first.get("failed").asInt(), "the coherent average is not a partial trace");
    for (String name :
        new String[] {"data.npz", "claims.json", "run.json", "reductions.png", "reductions.svg"}) {
      assertTrue(Files.size(directory.resolve("fig7").resolve(name)) > 0, name);
    }
    String page = Files.readString(directory.resolve("report.html"));
    assertTrue(page.contains("data:image/png") && page.contains("kpflow reproduce fig7 --quick"));
    byte[] claims = Files.readAllBytes(directory.resolve("fig7/claims.json"));
    assertEquals(first, reproduce(Exit.CHECK_FAILED).get(0));
    JsonNode run = new ObjectMapper().readTree(directory.resolve("fig7/run.json").toFile());
    assertEquals(0, run.get("computed").asInt());
    assertEquals(
        new String(claims, StandardCharsets.UTF_8),
        Files.readString(directory.resolve("fig7/claims.json")));
  }

  @Test
  void otherSettingsLeaveTheResultsAndPrintNoClaims() throws IOException {
    reproduce(Exit.CHECK_FAILED);
    byte[] page = Files.readAllBytes(directory.resolve("report.html"));
    byte[] claims = Files.readAllBytes(directory.resolve("fig7/claims.json"));
    String folder = directory.toString();
    for (List<String> other :
        List.of(
            List.of("reproduce", "fig7", "--quick", "--seed", "1", "--out", folder),
            List.of("reproduce", "fig7", "--out", folder))) {
      CommandOutcome refused = CommandOutcome.of(other);
      assertEquals(Exit.INPUT, refused.code());
      assertEquals("", refused.out());
    }
    assertArrayEquals(page, Files.readAllBytes(directory.resolve("report.html")));
    assertArrayEquals(claims, Files.readAllBytes(directory.resolve("fig7/claims.json")));
  }

  /** Ctrl-C in a process of its own: a line, exit code 3, the points stay and are taken up. */
  @Test
  @Timeout(240)
  void anInterruptKeepsThePoints() throws Exception {
    Path points = directory.resolve("fig10/points");
    Path log = directory.resolve("log");
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<String> command = new ArrayList<>(List.of(java, "-Djava.awt.headless=true", "-cp"));
    command.addAll(List.of(classPath, Main.class.getName(), "reproduce", "fig10", "--quick"));
    command.addAll(List.of("--out", directory.toString()));
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    while (!Files.exists(points.resolve("heads1-inputs1.npz"))) {
      assertTrue(process.isAlive());
      Thread.sleep(20);
    }
    new ProcessBuilder("kill", "-TERM", Long.toString(process.pid())).start().waitFor();
    assertEquals(Exit.NUMERICAL, process.waitFor(), Files.readString(log));
    assertTrue(Files.readString(log).contains("the same command goes on"), Files.readString(log));
    assertTrue(Files.exists(points.resolve("heads1-inputs1.npz")));
    assertFalse(Files.exists(directory.resolve("fig10/claims.json")));
  }

  private JsonNode reproduce(int code) throws IOException {
    CommandOutcome outcome =
        CommandOutcome.of(
            List.of("reproduce", "fig7", "--quick", "--json", "--out", directory.toString()));
    assertEquals(code, outcome.code(), outcome.err());
    return new ObjectMapper().readTree(outcome.out());
  }

  @Test
  void anUnknownFigureIsRefused() {
    assertEquals(Exit.INPUT, Main.run("reproduce", "fig99", "--out", directory.toString()));
    assertEquals(Exit.INPUT, Main.run("reproduce"));
  }
}
