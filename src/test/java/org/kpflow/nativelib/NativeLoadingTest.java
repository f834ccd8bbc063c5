package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.Device;

/** Whatever a program makes first loads the library, without JavaCPP's own limit on memory. */
class NativeLoadingTest {
  @ParameterizedTest
  @ValueSource(strings = {"context", "memory", "monitor"})
  void anyClassCanBeTheFirst(String first) throws IOException, InterruptedException {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classPath =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    Process process =
        new ProcessBuilder(java, "-cp", classPath, Fresh.class.getName(), first)
            .redirectErrorStream(true)
            .start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    process.waitFor();
    assertEquals("limit 0", output.substring(output.lastIndexOf('\n') + 1), output);
  }

  /** The program of a fresh JVM: makes one thing and prints JavaCPP's limit. */
  static final class Fresh {
    private Fresh() {}

    public static void main(String[] arguments) {
      switch (arguments[0]) {
        case "context" -> new ContextHandle(Device.CPU, 1).close();
        case "memory" -> NativeMemory.allocate(8).close();
        default -> Monitor.current();
      }
      System.out.println("limit " + Pointer.maxBytes());
    }
  }
}
