package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A training that is killed again and again ends with the same bits as one that is not. */
class TrainKillTest {
  private static final int STEPS = 1000;
  private static final int KILLED = 128 + 9;

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--optimizer adam --schedule cosine:1000 --warmup 10 --dataset 20",
        "--optimizer shampoo --lr 0.05 --update-interval 7 --clip 1 --dtype f64 --loss-steps 60:90"
      })
  void killedTrainingsEndWithTheSameBits(String rule) throws Exception {
    Path whole = directory.resolve("whole");
    assertEquals(0, finish(start(rule, whole)), log(whole));
    Path killed = directory.resolve("killed");
    for (int rows : new int[] {1, 120, 301}) {
      Process process = start(rule, killed);
      await(process, killed, rows);
      process.destroyForcibly();
      assertEquals(KILLED, finish(process), log(killed));
      assertTrue(!Files.exists(killed.resolve("step_01000.safetensors")), "too late");
    }
    Process process = start(rule, killed);
    await(process, killed, 420);
    interrupt(process);
    assertEquals(Exit.NUMERICAL, finish(process), log(killed));
    assertTrue(log(killed).contains("the same command goes on"), log(killed));
    assertEquals(0, finish(start(rule, killed)), log(killed));
    assertTrue(log(killed).contains("goes on after step"), log(killed));
    assertSameFiles(whole, killed);
  }

  private Process start(String rule, Path out) throws IOException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    List<String> command = new ArrayList<>(List.of(java, "-Djava.awt.headless=true", "-cp"));
    command.addAll(List.of(classPath, Main.class.getName(), "train", "--task", "memory_pro"));
    command.addAll(List.of("--cell", "gru", "--units", "8", "--batch", "7", "--noise", "0.1"));
    command.addAll(List.of("--steps", "" + STEPS, "--every", "100", "--evaluate-every", "30"));
    command.addAll(List.of(rule.split(" ")));
    command.addAll(List.of("--threads", "1", "--out", out.toString()));
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(directory.resolve(out.getFileName() + ".log").toFile())
        .start();
  }

  private String log(Path out) throws IOException {
    return Files.readString(directory.resolve(out.getFileName() + ".log"));
  }

  /** Waits until losses.csv has that many rows. */
  private void await(Process process, Path out, int rows) throws Exception {
    Path losses = out.resolve("losses.csv");
    while (!Files.exists(losses)
        || Files.readString(losses, StandardCharsets.US_ASCII).lines().count() <= rows) {
      assertTrue(process.isAlive(), () -> "ended before row " + rows);
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }

  private static void interrupt(Process process) throws Exception {
    new ProcessBuilder("kill", "-" + interruptSignal(), Long.toString(process.pid()))
        .start()
        .waitFor();
  }

  /** INT; where that is ignored, as in jobs that a script starts in the background, TERM. */
  private static String interruptSignal() throws IOException {
    String ignored =
        Files.readString(Path.of("/proc/self/status"))
            .lines()
            .filter(line -> line.startsWith("SigIgn:"))
            .map(line -> line.substring(line.indexOf('\t') + 1))
            .findFirst()
            .orElse("0");
    long interrupt = 1L << (2 - 1); // SIGINT is number 2
    return (Long.parseUnsignedLong(ignored, 16) & interrupt) == 0 ? "INT" : "TERM";
  }

  private static int finish(Process process) throws InterruptedException {
    assertTrue(process.waitFor(5, TimeUnit.MINUTES), "hangs");
    return process.exitValue();
  }

  /** All files have the same bytes, but for how long the last process took in training.json. */
  private static void assertSameFiles(Path expected, Path found) throws IOException {
    assertEquals(files(expected), files(found));
    for (String name : files(expected)) {
      if (name.equals("training.json")) {
        assertEquals(timeless(expected.resolve(name)), timeless(found.resolve(name)));
      } else {
        assertArrayEquals(
            Files.readAllBytes(expected.resolve(name)),
            Files.readAllBytes(found.resolve(name)),
            name);
      }
    }
  }

  private static TreeSet<String> files(Path folder) throws IOException {
    TreeSet<String> names = new TreeSet<>();
    try (Stream<Path> all = Files.walk(folder)) {
      all.filter(Files::isRegularFile).forEach(file -> names.add("" + folder.relativize(file)));
    }
    return names;
  }

  private static ObjectNode timeless(Path file) throws IOException {
    ObjectNode record = (ObjectNode) new ObjectMapper().readTree(file.toFile());
    record.remove(List.of("seconds", "stepsHere"));
    return record;
  }
}
