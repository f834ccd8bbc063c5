package org.kpflow.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * NumPy's .npz files: zip archives of .npy files, stored (numpy.savez) or deflated
 * (numpy.savez_compressed).
 */
public final class Npz {
  static final String SUFFIX = ".npy";
  private static final String EXPECTED = "an .npz file";
  private static final int END_RECORD = 22;
  private static final int END_SIGNATURE = 0x06054b50;
  private static final int ENTRY_SIGNATURE = 0x04034b50;
  private static final int LONGEST_COMMENT = 0xffff;
  private static final long DEFLATE_MOST = 1032; // no deflated byte makes more bytes than this

  private Npz() {}

  /**
   * Reads all arrays in the archive's order, named as in NumPy (without .npy). Names may hold
   * single slashes; nothing is ever unpacked to disk.
   *
   * @param wanted the tensors' type, or null for each entry's own as in {@link Npy#read(Path,
   *     DType)}
   * @throws InputException if the file is missing or damaged, if an entry is not an .npy file that
   *     can be read, or has an unsafe or repeated name
   */
  public static TensorMap read(Path path, DType wanted) {
    InputFile.requireRegular(path, EXPECTED);
    TensorMap tensors = new TensorMap(path.toString());
    try {
      requireArchive(path);
      try (ZipFile zip = new ZipFile(path.toFile())) {
        List<ZipEntry> entries = entries(zip, path);
        for (ZipEntry entry : entries) {
          String name = entry.getName().substring(0, entry.getName().length() - SUFFIX.length());
          tensors.put(
              name, read(zip, entry, wanted, path + ": entry " + Fault.quote(entry.getName())));
        }
      }
      return tensors;
    } catch (ZipException fault) {
      tensors.close();
      throw Fault.of(
          path.toString(),
          "is a damaged zip archive (%s); expected %s",
          fault.getMessage(),
          EXPECTED);
    } catch (IOException fault) {
      tensors.close();
      throw Fault.io(path, "read", fault);
    } catch (RuntimeException | Error fault) {
      tensors.close();
      throw fault;
    }
  }

  /**
   * Writes an archive of all the tensors, in the map's order.
   *
   * @throws InputException if it cannot be written
   */
  public static void write(Path path, Map<String, Tensor> tensors, boolean deflate) {
    Checks.notNull(tensors, "tensors");
    try (NpzWriter writer = new NpzWriter(path, deflate)) {
      tensors.forEach(writer::add);
    }
  }

  /**
   * Refuses what has something before or after the archive; the JDK's reader would look past it.
   */
  private static void requireArchive(Path path) throws IOException {
    try (FileChannel file = InputFile.open(path, EXPECTED)) {
      byte[] head = new byte[Integer.BYTES];
      int signature =
          file.size() < head.length ? 0 : littleEndian(bytesAt(file, 0, head, path)).getInt();
      if (signature != ENTRY_SIGNATURE && signature != END_SIGNATURE) {
        throw Fault.of(
            path.toString(),
            "does not begin as a zip archive; expected a file written by numpy.savez");
      }
      byte[] tail = new byte[(int) Math.min(END_RECORD + LONGEST_COMMENT, file.size())];
      ByteBuffer bytes = littleEndian(bytesAt(file, file.size() - tail.length, tail, path));
      for (int at = tail.length - END_RECORD; at >= 0; at--) {
        int comment = tail.length - at - END_RECORD;
        if (bytes.getInt(at) == END_SIGNATURE
            && (bytes.getShort(at + END_RECORD - 2) & 0xffff) == comment) {
          return;
        }
      }
      throw Fault.of(
          path.toString(),
          "does not end as a zip archive; is the file truncated, or was something appended to it?");
    }
  }

  private static byte[] bytesAt(FileChannel file, long position, byte[] target, Path path)
      throws IOException {
    InputFile.readFully(
        Channels.newInputStream(file.position(position)), target, target.length, path.toString());
    return target;
  }

  private static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The archive's entries, once their names and the sizes that they claim have been checked. */
  private static List<ZipEntry> entries(ZipFile zip, Path path) {
    List<ZipEntry> entries = new ArrayList<>();
    Set<String> names = new HashSet<>();
    long left = path.toFile().length();
    var listed = zip.entries();
    while (listed.hasMoreElements()) {
      ZipEntry entry = listed.nextElement();
      String where = path + ": entry " + Fault.quote(entry.getName());
      String problem = nameProblem(entry.getName());
      if (problem != null) {
        throw Fault.of(where, "%s; expected only the name of an array and .npy", problem);
      }
      if (!names.add(entry.getName())) {
        throw Fault.of(where, "is there twice; expected every name once");
      }
      left -= entry.getCompressedSize();
      if (left < 0) {
        throw Fault.of(
            where,
            "claims %d bytes, more than the file has left; entries overlap",
            entry.getCompressedSize());
      }
      requirePlausible(entry, where);
      entries.add(entry);
    }
    return entries;
  }

  /** What is wrong with an entry's name, or null. */
  static String nameProblem(String name) {
    if (!name.endsWith(SUFFIX) || name.length() == SUFFIX.length()) {
      return "is not an .npy file";
    }
    if (name.indexOf('\\') >= 0 || name.chars().anyMatch(Character::isISOControl)) {
      return "has a backslash or a control character in its name";
    }
    for (String part : name.split("/", -1)) {
      if (part.isEmpty() || part.equals(".") || part.equals("..")) {
        return "has a path for a name";
      }
    }
    return null;
  }

  /**
   * No deflated entry is larger than its compressed bytes can make it: a claim to be checked before
   * anything is allocated.
   */
  private static void requirePlausible(ZipEntry entry, String where) {
    long size = entry.getSize();
    long packed = entry.getCompressedSize();
    boolean stored = entry.getMethod() == ZipEntry.STORED;
    if (size < 0 || (stored ? size != packed : size / DEFLATE_MOST > packed)) {
      throw Fault.of(
          where,
          "claims %d bytes out of %d %s ones, which cannot be",
          size,
          packed,
          stored ? "stored" : "deflated");
    }
  }

  private static Tensor read(ZipFile zip, ZipEntry entry, DType wanted, String where) {
    CRC32 crc = new CRC32();
    Tensor tensor = null;
    try (InputStream in = new CheckedInputStream(zip.getInputStream(entry), crc)) {
      tensor = Npy.read(in, entry.getSize(), wanted, where);
      if (in.read() >= 0) {
        throw new ZipException(
            "it goes on after the " + entry.getSize() + " bytes that the archive lists");
      }
      if (crc.getValue() != entry.getCrc()) {
        throw new ZipException(
            String.format("its checksum is %08x, listed is %08x", crc.getValue(), entry.getCrc()));
      }
      return tensor;
    } catch (IOException fault) {
      close(tensor);
      throw Fault.of(where, "is damaged (%s); expected it as it was written", fault.getMessage());
    } catch (RuntimeException | Error fault) {
      close(tensor);
      throw fault;
    }
  }

  private static void close(Tensor tensor) {
    if (tensor != null) {
      tensor.close();
    }
  }
}
