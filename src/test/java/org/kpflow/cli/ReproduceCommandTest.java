package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
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
    PrintStream out = System.out;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
      String folder = directory.toString();
      assertEquals(
          Exit.INPUT, Main.run("reproduce", "fig7", "--quick", "--seed", "1", "--out", folder));
      assertEquals(Exit.INPUT, Main.run("reproduce", "fig7", "--out", folder));
    } finally {
      System.setOut(out);
    }
    assertEquals("", captured.toString(StandardCharsets.UTF_8));
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
    new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
    assertEquals(Exit.NUMERICAL, process.waitFor(), Files.readString(log));
    assertTrue(Files.readString(log).contains("the same command goes on"), Files.readString(log));
    assertTrue(Files.exists(points.resolve("heads1-inputs1.npz")));
    assertFalse(Files.exists(directory.resolve("fig10/claims.json")));
  }

  private JsonNode reproduce(int code) throws IOException {
    PrintStream out = System.out;
    ByteArrayOutputStream captured = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(captured, true, StandardCharsets.UTF_8));
      assertEquals(
          code, Main.run("reproduce", "fig7", "--quick", "--json", "--out", directory.toString()));
    } finally {
      System.setOut(out);
    }
    return new ObjectMapper().readTree(captured.toByteArray());
  }

  @Test
  void anUnknownFigureIsRefused() {
    assertEquals(Exit.INPUT, Main.run("reproduce", "fig99", "--out", directory.toString()));
    assertEquals(Exit.INPUT, Main.run("reproduce"));
  }
}
