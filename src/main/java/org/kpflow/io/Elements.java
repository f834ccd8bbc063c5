package org.kpflow.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * Elements between streams and tensors, a chunk at a time: no file is ever held in a Java array as
 * a whole.
 */
final class Elements {
  private static final int CHUNK_BYTES = 1 << 20;

  private Elements() {}

  /**
   * Overwrites all elements of the target, in row-major order, with the next of the stream.
   *
   * @throws InputException if the stream ends before, or a value has no place in the target's type
   */
  static void read(InputStream in, Encoding encoding, ByteOrder order, Tensor target, String where)
      throws IOException {
    boolean raw = encoding.isSameAs(target.dtype()) && order == ByteOrder.LITTLE_ENDIAN;
    int width = target.dtype().bytes();
    int chunk = (int) Math.min(CHUNK_BYTES / Math.max(width, encoding.bytes()), target.count());
    byte[] source = new byte[chunk * encoding.bytes()];
    byte[] converted = raw ? source : new byte[chunk * width];
    for (long first = 0; first < target.count(); first += chunk) {
      int count = (int) Math.min(chunk, target.count() - first);
      InputFile.readFully(in, source, count * encoding.bytes(), where);
      if (!raw) {
        ByteBuffer from = ByteBuffer.wrap(source).order(order);
        convert(from, encoding, count, converted, target.dtype(), first, where);
      }
      target.copyFromBytes(converted, 0, first, count);
    }
  }

  private static void convert(
      ByteBuffer from,
      Encoding encoding,
      int count,
      byte[] converted,
      DType dtype,
      long first,
      String where) {
    ByteBuffer to = ByteBuffer.wrap(converted).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      int at = i * encoding.bytes();
      double value = encoding.value(from, at);
      if (!encoding.isExact(from, at, value)) {
        throw inexact(from, encoding, at, dtype, first + i, where);
      }
      if (dtype == DType.F64) {
        to.putDouble(i * Double.BYTES, value);
        continue;
      }
      float narrow = (float) value;
      if (narrow != value && encoding.isInteger()
          || Float.isInfinite(narrow) && !Double.isInfinite(value)) {
        throw inexact(from, encoding, at, dtype, first + i, where);
      }
      to.putFloat(i * Float.BYTES, narrow);
    }
  }

  private static InputException inexact(
      ByteBuffer from, Encoding encoding, int at, DType dtype, long index, String where) {
    return switch (encoding) {
      case BOOL ->
          Fault.of(
              where, "element %d is the byte %d; expected 0 or 1 for a bool", index, from.get(at));
      case I32 ->
          Fault.of(
              where,
              "element %d is %d, which no %s equals; read it as f64",
              index,
              from.getInt(at),
              dtype);
      case I64 ->
          Fault.of(
              where,
              "element %d is %d, which no %s equals; expected whole numbers that one does",
              index,
              from.getLong(at),
              dtype);
      default ->
          Fault.of(
              where,
              "element %d is %s, which overflows %s; read it as f64",
              index,
              encoding.value(from, at),
              dtype);
    };
  }

  /** Writes all elements in row-major order, little-endian. */
  static void write(OutputStream out, Tensor source) throws IOException {
    int chunk = CHUNK_BYTES / source.dtype().bytes();
    for (long first = 0; first < source.count(); first += chunk) {
      out.write(source.toBytes(first, (int) Math.min(chunk, source.count() - first)));
    }
  }
}
