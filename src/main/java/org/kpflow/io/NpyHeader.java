package org.kpflow.io;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/** The head of an .npy file: magic, version, length, and a Python dict literal. */
final class NpyHeader {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int PREFIX = MAGIC.length + 2; // and the two bytes of the version
  private static final int ALIGNMENT = 64;
  private static final int GROWTH_DIGITS =
      21; // numpy leaves room for the first axis to grow in place
  private static final int LONGEST =
      1 << 20; // the longest that numpy writes for 64 axes is below 2 KiB

  private NpyHeader() {}

  /**
   * Reads the head of a stream of {@code bytes} bytes in total, and checks the size that it claims
   * against them.
   *
   * @throws org.kpflow.base.InputException if it is not the head of an .npy file of that size
   */
  static Npy.Header read(InputStream in, long bytes, String where) throws IOException {
    byte[] prefix = new byte[PREFIX];
    int got = in.readNBytes(prefix, 0, PREFIX);
    if (got < MAGIC.length || !Arrays.equals(prefix, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw Fault.of(
          where, "does not begin with \\x93NUMPY; expected a file written by numpy.save");
    }
    if (got < PREFIX) {
      throw Fault.of(where, "ends within the header; is the file truncated?");
    }
    int major = prefix[MAGIC.length] & 0xff;
    int minor = prefix[MAGIC.length + 1] & 0xff;
    if (major < 1 || major > 3 || minor != 0) {
      throw Fault.of(where, "is of format version %d.%d; expected 1.0, 2.0 or 3.0", major, minor);
    }
    int lengthBytes = major == 1 ? Short.BYTES : Integer.BYTES;
    byte[] lengthField = new byte[Integer.BYTES];
    InputFile.readFully(in, lengthField, lengthBytes, where);
    long length =
        ByteBuffer.wrap(lengthField).order(ByteOrder.LITTLE_ENDIAN).getInt() & 0xffffffffL;
    long offset = PREFIX + lengthBytes + length;
    if (offset > bytes) {
      throw Fault.of(
          where,
          "the header claims %d bytes but %d follow; is the file truncated?",
          length,
          bytes - offset + length);
    }
    if (length > LONGEST) {
      throw Fault.of(where, "the header claims %d bytes; expected at most %d", length, LONGEST);
    }
    byte[] text = new byte[(int) length];
    InputFile.readFully(in, text, text.length, where);
    Charset charset = major == 3 ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1;
    Npy.Header header = new NpyDict(new String(text, charset), where).parse();
    requireSize(header, bytes - offset, where);
    return header;
  }

  private static void requireSize(Npy.Header header, long follow, String where) {
    int width = width(header.descr());
    if (width == 0) {
      return; // of a type that cannot be read: Npy.read refuses it, a look at the header may pass
    }
    // Shapes fit a signed long at 8 bytes an element, so this product cannot overflow.
    long expected = header.shape().count() * width;
    if (follow != expected) {
      throw Fault.of(
          where,
          "header says shape %s of %s (%d bytes) but %d bytes follow; %s",
          header.shape(),
          header.descr().substring(1),
          expected,
          follow,
          follow < expected ? "is the file truncated?" : "expected nothing after the data");
    }
  }

  private static int width(String descr) {
    Encoding encoding = encoding(descr);
    return encoding == null ? 0 : encoding.bytes();
  }

  /** The type that a descr such as {@code <f8} names, or null if it is not one that can be read. */
  static Encoding encoding(String descr) {
    if (descr.equals("|b1")) {
      return Encoding.BOOL;
    }
    if (descr.length() != 3 || "<>=".indexOf(descr.charAt(0)) < 0) {
      return null;
    }
    return switch (descr.substring(1)) {
      case "f2" -> Encoding.F16;
      case "f4" -> Encoding.F32;
      case "f8" -> Encoding.F64;
      case "i4" -> Encoding.I32;
      case "i8" -> Encoding.I64;
      default -> null;
    };
  }

  /** The byte order that a descr names. */
  static ByteOrder order(String descr) {
    return descr.charAt(0) == '>' ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
  }

  /**
   * The version 1.0 head of a C-ordered file with a tensor's elements: the bytes that numpy.save
   * writes.
   */
  static byte[] of(Tensor tensor) {
    Shape shape = tensor.shape();
    String sizes =
        Arrays.stream(shape.sizes()).mapToObj(Long::toString).collect(Collectors.joining(", "));
    String descr = tensor.dtype() == DType.F32 ? "<f4" : "<f8";
    String tuple = shape.rank() == 1 ? "(" + sizes + ",)" : "(" + sizes + ")";
    String dict = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + tuple + ", }";
    int growth = shape.rank() == 0 ? 0 : GROWTH_DIGITS - Long.toString(shape.size(0)).length();
    int used = PREFIX + Short.BYTES + dict.length() + growth + 1;
    int total = (used / ALIGNMENT + 1) * ALIGNMENT;
    ByteBuffer head = ByteBuffer.allocate(total).order(ByteOrder.LITTLE_ENDIAN);
    head.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) (total - PREFIX - Short.BYTES));
    head.put(dict.getBytes(StandardCharsets.ISO_8859_1));
    while (head.position() < total - 1) {
      head.put((byte) ' ');
    }
    return head.put((byte) '\n').array();
  }
}
