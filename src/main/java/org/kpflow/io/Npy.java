package org.kpflow.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * NumPy's .npy files: versions 1.0, 2.0 and 3.0, either memory order, f2, f4, f8, i4, i8 in either
 * byte order, and bool. The format is described in numpy.lib.format.
 */
public final class Npy {
  static final String READABLE = "f2, f4, f8, i4, i8 or bool";
  private static final String EXPECTED = "an .npy file";
  private static final int MOST_STRIDED_AXES = 8;

  private Npy() {}

  /**
   * What a file says about its array.
   *
   * @param shape sizes of the axes, as NumPy shows them; [] for a single number
   * @param descr byte order and type, such as {@code <f8}; it may be one that cannot be read
   * @param fortranOrder whether the first axis varies fastest in the file
   */
  public record Header(Shape shape, String descr, boolean fortranOrder) {}

  /**
   * Reads an array, f4 and f2 as f32 and everything else as f64.
   *
   * @throws org.kpflow.base.InputException as {@link #read(Path, DType)} does
   */
  public static Tensor read(Path path) {
    return read(path, null);
  }

  /**
   * Reads an array of any order and byte order as a row-major tensor of the same shape, which the
   * caller closes.
   *
   * @param wanted the tensor's type, or null for f32 where the file holds f4 or f2 and f64
   *     otherwise; f8 to f32 rounds to nearest
   * @throws org.kpflow.base.InputException if the file is missing, damaged, or of another type; if
   *     an integer has no equal in the wanted type; or if a finite number overflows it
   */
  public static Tensor read(Path path, DType wanted) {
    try (FileChannel channel = InputFile.open(path, EXPECTED)) {
      return read(Channels.newInputStream(channel), channel.size(), wanted, path.toString());
    } catch (IOException fault) {
      throw Fault.io(path, "read", fault);
    }
  }

  /**
   * Reads the header only, and checks it against the size of the file.
   *
   * @throws org.kpflow.base.InputException if the file is missing or damaged
   */
  public static Header header(Path path) {
    try (FileChannel channel = InputFile.open(path, EXPECTED)) {
      return NpyHeader.read(Channels.newInputStream(channel), channel.size(), path.toString());
    } catch (IOException fault) {
      throw Fault.io(path, "read", fault);
    }
  }

  /**
   * Writes a version 1.0 file in C order, as numpy.save does. The file is replaced in one step: it
   * is never seen in part.
   *
   * @throws org.kpflow.base.InputException if it cannot be written
   */
  public static void write(Path path, Tensor tensor) {
    Checks.notNull(tensor, "tensor");
    try (OutputFile file = OutputFile.create(path)) {
      write(file.stream(), tensor);
      file.commit();
    } catch (IOException fault) {
      throw Fault.io(path, "written", fault);
    }
  }

  /**
   * Reads an array from a stream that holds {@code bytes} bytes: the file form of {@link
   * #read(Path, DType)} on any stream.
   */
  static Tensor read(InputStream in, long bytes, DType wanted, String where) throws IOException {
    Header header = NpyHeader.read(in, bytes, where);
    Encoding encoding = NpyHeader.encoding(header.descr());
    if (encoding == null) {
      throw Fault.of(
          where, "holds elements of type %s; expected %s", Fault.quote(header.descr()), READABLE);
    }
    DType dtype = wanted == null ? encoding.natural() : wanted;
    Shape stored = header.fortranOrder() ? reversed(header.shape()) : header.shape();
    Tensor tensor = Tensor.zeros(dtype, stored);
    try {
      Elements.read(in, encoding, NpyHeader.order(header.descr()), tensor, where);
      if (!header.fortranOrder() || stored.rank() < 2) {
        return tensor;
      }
      Tensor transposed = transposed(tensor, header.shape(), where);
      tensor.close();
      return transposed;
    } catch (IOException | RuntimeException | Error fault) {
      tensor.close();
      throw fault;
    }
  }

  static void write(OutputStream out, Tensor tensor) throws IOException {
    out.write(NpyHeader.of(tensor));
    Elements.write(out, tensor);
  }

  /** Bytes of the file that {@link #write} makes. */
  static long size(Tensor tensor) {
    return NpyHeader.of(tensor).length + tensor.count() * tensor.dtype().bytes();
  }

  private static Shape reversed(Shape shape) {
    long[] sizes = shape.sizes();
    for (int axis = 0; axis < sizes.length; axis++) {
      sizes[axis] = shape.size(sizes.length - 1 - axis);
    }
    return Shape.of(sizes);
  }

  /**
   * A row-major tensor of the given shape whose elements lie in the source with the first axis
   * fastest.
   */
  private static Tensor transposed(Tensor source, Shape shape, String where) {
    // Axes of size 1 do not move anything; without them, the kernel's number of axes is rarely
    // reached.
    long[] sizes = Arrays.stream(shape.sizes()).filter(size -> size != 1).toArray();
    if (sizes.length > MOST_STRIDED_AXES) {
      throw Fault.of(
          where,
          "is in Fortran order with %d axes; expected at most %d, or C order (numpy.ascontiguousarray)",
          sizes.length,
          MOST_STRIDED_AXES);
    }
    long[] columnMajor = new long[sizes.length];
    long stride = 1;
    for (int axis = 0; axis < sizes.length; axis++) {
      columnMajor[axis] = stride;
      stride *= sizes[axis];
    }
    Tensor result = Tensor.zeros(source.dtype(), shape);
    try {
      TensorMath.strided(sizes, 1, source, columnMajor, 0, result, Shape.of(sizes).strides());
      return result;
    } catch (RuntimeException | Error fault) {
      result.close();
      throw fault;
    }
  }
}
