package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The native test program, which machines without a JDK have, passes on the CPU. */
class NativeProgramTest {
  private static final Path PROGRAM = Path.of("target", "native", "kpflow_native_test");

  @Test
  void everyNativeCheckPassesOnTheCpu() throws IOException, InterruptedException {
    Path root = Path.of(System.getProperty("basedir", ".")).toAbsolutePath();
    Path log = Files.createTempFile("kpflow-native-test", ".log");
    try {
      Process process =
          new ProcessBuilder(root.resolve(PROGRAM).toString(), "--device", "cpu")
              .directory(root.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      int status = process.waitFor();
      String output = Files.readString(log, StandardCharsets.UTF_8).strip();
      assertEquals(0, status, output);
      String closing = output.substring(output.lastIndexOf('\n') + 1);
      assertTrue(closing.matches("[1-9]\\d* passed, 0 failed, \\d+ skipped"), output);
    } finally {
      Files.delete(log);
    }
  }
}
