package org.kpflow.io;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Locale;
import org.kpflow.base.CancelledException;
import org.kpflow.base.InputException;
import org.kpflow.base.KpflowException;

/** Messages about files: one line each, whatever bytes the file holds. */
final class Fault {
  private static final int LONGEST_QUOTE = 120;

  private Fault() {}

  /** The exception for a fault of a file or of an entry of it. */
  static InputException of(String where, String format, Object... arguments) {
    return new InputException(
        oneLine(where + ": " + String.format(Locale.ROOT, format, arguments)));
  }

  /** The exception for a file that the system would not read or write. */
  static KpflowException io(Object file, String action, IOException cause) {
    if (cause instanceof ClosedByInterruptException) {
      return new CancelledException(
          oneLine(file + ": cannot be " + action + ": the thread was interrupted"), cause);
    }
    return new InputException(
        oneLine(file + ": cannot be " + action + ": " + reason(cause)), cause);
  }

  private static String reason(IOException cause) {
    if (cause instanceof NoSuchFileException) {
      return "no such file or directory";
    }
    if (cause instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (cause instanceof FileSystemException system && system.getReason() != null) {
      return system.getReason();
    }
    return cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage();
  }

  /** A text out of a file, for a message: shortened if it is long. */
  static String quote(String text) {
    return "'"
        + (text.length() > LONGEST_QUOTE ? text.substring(0, LONGEST_QUOTE) + "..." : text)
        + "'";
  }

  /**
   * A text with all control characters and line separators replaced, so that it stays on its line.
   */
  private static String oneLine(String text) {
    return text.replaceAll("[\\p{Cntrl}\\u0080-\\u009f\\u2028\\u2029]", "?");
  }
}
