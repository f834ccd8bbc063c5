package org.kpflow.io;

import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * A file that is written beside its target and replaces it in one step, so that no reader and no
 * crash ever sees a part of it. Closing without {@link #commit} leaves the target as it was.
 */
final class OutputFile implements AutoCloseable {
  private static final int BUFFER = 1 << 16;

  private final Path target;
  private final Path temporary;
  private final FileOutputStream file;
  private final OutputStream stream;

  private OutputFile(Path target, Path temporary, FileOutputStream file) {
    this.target = target;
    this.temporary = temporary;
    this.file = file;
    this.stream = new BufferedOutputStream(file, BUFFER);
  }

  static OutputFile create(Path target) throws IOException {
    Path directory = target.toAbsolutePath().getParent();
    if (directory == null || Files.isDirectory(target)) {
      throw Fault.of(target.toString(), "is a directory; expected the name of a file to write");
    }
    if (!Files.isDirectory(directory)) {
      throw Fault.of(
          target.toString(), "cannot be written: no directory %s; create it first", directory);
    }
    // Not Files.createTempFile: that makes files only their owner can read, and the result keeps
    // the mode.
    String name =
        String.format(
            ".%s.%016x.tmp", target.getFileName(), ThreadLocalRandom.current().nextLong());
    Path temporary = directory.resolve(name);
    // Not a channel: those break off where the thread is interrupted.
    return new OutputFile(target, temporary, new FileOutputStream(temporary.toFile()));
  }

  OutputStream stream() {
    return stream;
  }

  /** Puts the file in place of the target. */
  void commit() throws IOException {
    stream.flush();
    file.getFD().sync();
    file.close();
    Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Drops the file unless it has been committed. */
  @Override
  public void close() throws IOException {
    file.close();
    Files.deleteIfExists(temporary);
  }
}
