package org.kpflow.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Opening and reading files that may not be there, not be files, or end too soon. */
final class InputFile {
  private InputFile() {}

  /**
   * Refuses what is not a regular file: opening a pipe would block, and a directory or a device has
   * no size to check numbers against.
   *
   * @throws org.kpflow.base.InputException if it is not there or no regular file
   */
  static void requireRegular(Path path, String expected) {
    if (Files.isDirectory(path)) {
      throw Fault.of(path.toString(), "is a directory; expected %s", expected);
    }
    if (!Files.exists(path)) {
      throw Fault.of(path.toString(), "no such file; expected %s", expected);
    }
    if (!Files.isRegularFile(path)) {
      throw Fault.of(path.toString(), "is not a regular file; expected %s", expected);
    }
  }

  /** The open file, to be closed by the caller. */
  static FileChannel open(Path path, String expected) throws IOException {
    requireRegular(path, expected);
    return FileChannel.open(path, StandardOpenOption.READ);
  }

  /**
   * Exactly {@code count} bytes into {@code target} from its start on.
   *
   * @throws org.kpflow.base.InputException if the stream ends before
   */
  static void readFully(InputStream in, byte[] target, int count, String where) throws IOException {
    int got = in.readNBytes(target, 0, count);
    if (got < count) {
      throw Fault.of(where, "ends %d bytes too soon; is the file truncated?", count - got);
    }
  }
}
