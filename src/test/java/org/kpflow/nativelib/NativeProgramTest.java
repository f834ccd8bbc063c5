package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The test programs of the native engine, which machines without a JDK have. */
class NativeProgramTest {
  private static final Path BUILD = Path.of("target", "native");
  private static final String TEST = "kpflow_native_test";

  @Test
  void everyNativeCheckPassesOnTheCpu() throws IOException, InterruptedException {
    assertPasses(TEST, "--device", "cpu");
  }

  /**
   * The CUDA sources, compiled for the CPU with an emulation of the CUDA runtime. The threads of a
   * block run in the other order than in the tests of org.kpflow.cuda, so that a race shows in
   * either.
   */
  @Test
  void theKernelsOfTheGpuPassOnItsEmulation() throws IOException, InterruptedException {
    assertPasses(Map.of("KPFLOW_EMULATION_ORDER", "reverse"), TEST, "--device", "cuda", "--small");
  }

  @Test
  void productsOfTheGpuPassOnItsEmulation() throws IOException, InterruptedException {
    assertPasses("emulation/kpflow_products_test", "emulation/libkpflow_fake_cublas.so", "quick");
  }

  private static void assertPasses(String... command) throws IOException, InterruptedException {
    assertPasses(Map.of(), command);
  }

  private static void assertPasses(Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    Path root = Path.of(System.getProperty("basedir", ".")).toAbsolutePath();
    Path build = root.resolve(BUILD);
    for (int i = 0; i < command.length; i++) {
      command[i] =
          Files.exists(build.resolve(command[i]))
              ? build.resolve(command[i]).toString()
              : command[i];
    }
    Path log = Files.createTempFile("kpflow-native-test", ".log");
    try {
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .directory(root.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile());
      builder.environment().putAll(environment);
      builder
          .environment()
          .put(
              "KPFLOW_CUDA_LIBRARY",
              build.resolve("emulation/libkpflow_cuda_emulated.so").toString());
      int status = builder.start().waitFor();
      String output = Files.readString(log, StandardCharsets.UTF_8).strip();
      assertEquals(0, status, output);
      String closing = output.substring(output.lastIndexOf('\n') + 1);
      assertTrue(closing.matches("[1-9]\\d* passed, 0 failed.*|bits \\w+, 0 failures"), output);
    } finally {
      Files.delete(log);
    }
  }
}
