package org.kpflow;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.function.Executable;

/** Misuse ends in an exception of the right kind whose message says what was wrong. */
public final class Refusals {
  private Refusals() {}

  /** A wrong argument: the message has all the fragments. */
  public static void refused(Executable call, String... fragments) {
    refused(IllegalArgumentException.class, call, fragments);
  }

  /** A use after close. */
  public static void closed(Executable call) {
    refused(IllegalStateException.class, call, "closed");
  }

  /** Another kind of failure: the message has all the fragments. */
  public static void refused(
      Class<? extends RuntimeException> kind, Executable call, String... fragments) {
    String message = assertThrows(kind, call, () -> String.join(", ", fragments)).getMessage();
    for (String fragment : fragments) {
      assertTrue(
          message != null && message.contains(fragment),
          () -> "'" + message + "' does not say '" + fragment + "'");
    }
  }
}
