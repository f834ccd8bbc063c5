package org.kpflow.io;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.CheckedOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.kpflow.base.Checks;
import org.kpflow.tensor.Tensor;

/**
 * Writes an .npz file array by array. Everything goes to a temporary file beside the target; {@link
 * #close} puts it in place in one step, unless an {@link #add} failed or {@link #discard} was
 * called: then the target stays as it was. Not safe for concurrent use.
 */
public final class NpzWriter implements AutoCloseable {
  // Entries carry a fixed date, so that equal arrays make equal files.
  private static final LocalDateTime DATE = LocalDateTime.of(1980, 2, 1, 0, 0);

  private final Path path;
  private final boolean deflate;
  private final Set<String> names = new HashSet<>();
  private final OutputFile file;
  private final ZipOutputStream zip;
  private boolean broken;
  private boolean closed;

  /** A writer of stored entries, as numpy.savez makes them. */
  public NpzWriter(Path path) {
    this(path, false);
  }

  /**
   * A writer of stored or deflated entries.
   *
   * @throws org.kpflow.base.InputException if no file can be written there
   */
  public NpzWriter(Path path, boolean deflate) {
    this.path = path;
    this.deflate = deflate;
    try {
      this.file = OutputFile.create(path);
    } catch (IOException fault) {
      throw Fault.io(path, "written", fault);
    }
    this.zip = new ZipOutputStream(file.stream());
  }

  /**
   * Adds an array; NumPy finds it under the name.
   *
   * @throws IllegalArgumentException if the name is taken, or is a path other than names joined by
   *     single slashes
   * @throws org.kpflow.base.InputException if it cannot be written
   */
  public void add(String name, Tensor tensor) {
    if (closed) {
      throw new IllegalStateException(path + ": this writer is closed; expected an open one");
    }
    boolean written = false;
    try {
      Checks.notNull(name, "name");
      Checks.notNull(tensor, "tensor");
      String problem = Npz.nameProblem(name + Npz.SUFFIX);
      Checks.that(problem == null, "entry '%s' %s; expected the name of an array", name, problem);
      Checks.that(names.add(name), "entry '%s': expected every name once", name);
      zip.putNextEntry(entry(name, tensor));
      Npy.write(zip, tensor);
      zip.closeEntry();
      written = true;
    } catch (IOException fault) {
      throw Fault.io(path, "written", fault);
    } finally {
      broken |= !written;
    }
  }

  private ZipEntry entry(String name, Tensor tensor) throws IOException {
    ZipEntry entry = new ZipEntry(name + Npz.SUFFIX);
    entry.setTimeLocal(DATE);
    if (deflate) {
      return entry;
    }
    // A stored entry has size and checksum before its bytes.
    CRC32 crc = new CRC32();
    Npy.write(new CheckedOutputStream(OutputStream.nullOutputStream(), crc), tensor);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(Npy.size(tensor));
    entry.setCrc(crc.getValue());
    return entry;
  }

  /**
   * Makes {@link #close} drop what has been written, for a caller that failed between two arrays.
   */
  public void discard() {
    broken = true;
  }

  /**
   * Puts the file in place, or drops it if an array could not be written. Closing twice does
   * nothing.
   *
   * @throws org.kpflow.base.InputException if it cannot be written
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try (file) {
      if (!broken) {
        zip.finish();
        file.commit();
      }
    } catch (IOException fault) {
      throw Fault.io(path, "written", fault);
    }
  }
}
