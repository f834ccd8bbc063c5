package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.function.Executable;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * The files that NumPy made (src/test/resources/io/make_files.py), and what is asked of every
 * refusal.
 */
final class TestFiles {
  private TestFiles() {}

  static Path resource(String name) {
    try {
      return Path.of(TestFiles.class.getResource("/io/" + name).toURI());
    } catch (URISyntaxException impossible) {
      throw new AssertionError(impossible);
    }
  }

  static byte[] bytes(String name) throws IOException {
    return Files.readAllBytes(resource(name));
  }

  /** The call is refused in one line that has all the fragments, and leaves no tensor behind. */
  static void assertRefused(Executable call, String... fragments) {
    long before = Tensor.liveCount();
    String message = assertThrows(InputException.class, call).getMessage();
    assertEquals(before, Tensor.liveCount(), "leaked tensors");
    assertOneLine(message);
    for (String fragment : fragments) {
      assertTrue(message.contains(fragment), () -> "expected '" + fragment + "' in: " + message);
    }
  }

  /**
   * The call reads something or is refused in one line that begins with the file; it never fails
   * otherwise, and leaks nothing.
   */
  static boolean readsOrIsRefused(String file, String what, ReadCall call) {
    long before = Tensor.liveCount();
    boolean read = false;
    try (AutoCloseable result = call.read()) {
      read = result != null;
    } catch (InputException refusal) {
      assertOneLine(refusal.getMessage());
      assertTrue(
          refusal.getMessage().startsWith(file + ": "), () -> what + ": " + refusal.getMessage());
    } catch (Throwable other) {
      throw new AssertionError(what + ": expected an InputException, got " + other, other);
    }
    assertEquals(before, Tensor.liveCount(), () -> what + ": leaked tensors");
    return read;
  }

  private static void assertOneLine(String message) {
    assertFalse(message.chars().anyMatch(Character::isISOControl), message);
    assertTrue(message.length() < 1000, message);
  }

  /** Reads something that has to be closed. */
  interface ReadCall {
    AutoCloseable read() throws IOException;
  }
}
