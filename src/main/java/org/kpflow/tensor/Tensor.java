package org.kpflow.tensor;

import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.function.Consumer;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.nativelib.NativeMemory;

/**
 * A dense row-major array in the memory of a device, outside of Java's heap, 64-byte aligned where
 * it was allocated. {@link #reshape} and {@link #slice} give views: they share the memory, which is
 * freed when the tensor that allocated it is closed. Using a closed tensor is an
 * IllegalStateException. A tensor may be read by several threads; writing is the caller's to order.
 *
 * <p>What makes a tensor from numbers of Java makes it on the CPU. Java's arrays are copied from
 * and to a tensor of any device; on the GPU every such copy is a transfer.
 */
public final class Tensor implements AutoCloseable {
  private static final int CHUNK = 1 << 16;

  private final NativeMemory memory;
  private final Shape shape;
  private final DType dtype;
  private final boolean view;

  private Tensor(NativeMemory memory, Shape shape, DType dtype, boolean view) {
    this.memory = memory;
    this.shape = shape;
    this.dtype = dtype;
    this.view = view;
  }

  /** A tensor of zeros on the CPU; see {@link #zeros(Device, DType, Shape)}. */
  public static Tensor zeros(DType dtype, Shape shape) {
    return zeros(Device.CPU, dtype, shape);
  }

  /**
   * A tensor of zeros in the memory of a device.
   *
   * @throws org.kpflow.base.MemoryException if the memory cannot be had
   * @throws org.kpflow.base.InputException if there is no such device, saying why
   */
  public static Tensor zeros(Device device, DType dtype, Shape shape) {
    Checks.notNull(device, "device");
    Checks.notNull(dtype, "dtype");
    Checks.notNull(shape, "shape");
    return new Tensor(
        NativeMemory.allocate(device, shape.count() * dtype.bytes()), shape, dtype, false);
  }

  /** A tensor of zeros on the CPU with the given sizes. */
  public static Tensor zeros(DType dtype, long... sizes) {
    return zeros(dtype, Shape.of(sizes));
  }

  /** An f64 tensor with a copy of the values. */
  public static Tensor of(Shape shape, double... values) {
    return built(zeros(DType.F64, shape), fresh -> fresh.copyFrom(values));
  }

  /** An f32 tensor with a copy of the values. */
  public static Tensor ofFloats(Shape shape, float... values) {
    return built(zeros(DType.F32, shape), fresh -> fresh.copyFrom(values));
  }

  /** A tensor of the given type with the values, rounded where the type is f32. */
  public static Tensor of(DType dtype, Shape shape, double... values) {
    return of(Device.CPU, dtype, shape, values);
  }

  /** The same in the memory of a device. */
  public static Tensor of(Device device, DType dtype, Shape shape, double... values) {
    return built(zeros(device, dtype, shape), fresh -> fresh.copyFrom(values));
  }

  /** A new tensor once its body has run; closed where that fails. */
  private static Tensor built(Tensor fresh, Consumer<Tensor> body) {
    try {
      body.accept(fresh);
      return fresh;
    } catch (RuntimeException | Error failure) {
      fresh.close();
      throw failure;
    }
  }

  public Shape shape() {
    return shape;
  }

  public DType dtype() {
    return dtype;
  }

  /** Whose memory the elements lie in. */
  public Device device() {
    return memory.device();
  }

  /** Number of elements. */
  public long count() {
    return shape.count();
  }

  /** Whether the memory has been freed. */
  public boolean isClosed() {
    return memory.isClosed();
  }

  /** Frees the memory; for a view, nothing happens. Closing twice does nothing. */
  @Override
  public void close() {
    if (!view) {
      memory.close();
    }
  }

  /** The native memory, for the packages that call the engine. */
  public NativeMemory memory() {
    return memory;
  }

  /** Whether the two tensors have memory in common. */
  public boolean overlaps(Tensor other) {
    return memory.overlaps(Checks.notNull(other, "other").memory);
  }

  /** The same elements under another shape, as a view. */
  public Tensor reshape(Shape other) {
    Checks.notNull(other, "shape");
    Checks.that(
        other.count() == count(),
        "reshape: expected %d elements as in %s, got %s",
        count(),
        shape,
        other);
    return new Tensor(memory, other, dtype, true);
  }

  /** Entry {@code index} of the leading axis, as a view without that axis. */
  public Tensor slice(long index) {
    return slice(index, 1).reshape(shape.tail());
  }

  /** Entries {@code first} to {@code first + length - 1} of the leading axis, as a view. */
  public Tensor slice(long first, long length) {
    Checks.that(shape.rank() > 0, "slice: expected at least one axis, got shape []");
    Checks.that(
        first >= 0 && length >= 0 && first <= shape.size(0) - length,
        "slice: expected a part of the leading axis of %s, got %d entries from %d",
        shape,
        length,
        first);
    Shape tail = shape.tail();
    long row = tail.count() * dtype.bytes();
    return new Tensor(memory.span(first * row, length * row), tail.block(length), dtype, true);
  }

  /** A new tensor with the same elements, on the same device. */
  public Tensor copy() {
    return to(dtype);
  }

  /**
   * A new tensor with the same elements in the given type, on the same device; f64 to f32 rounds to
   * nearest.
   */
  public Tensor to(DType other) {
    return to(device(), other);
  }

  /** A new tensor with the same elements in the memory of the given device. */
  public Tensor to(Device other) {
    return to(other, dtype);
  }

  /** A new tensor with the same elements in the memory of the given device, in the given type. */
  public Tensor to(Device device, DType type) {
    return built(zeros(device, type, shape), fresh -> fresh.copyFrom(this));
  }

  /**
   * Overwrites this tensor with the elements of another of the same shape, which may be of another
   * type and lie on another device.
   */
  public Tensor copyFrom(Tensor source) {
    Checks.shape("source", shape, Checks.notNull(source, "source").shape);
    if (source.dtype == dtype) {
      Engine.copy(source.memory.span(0, source.bytes()), memory.span(0, bytes()));
    } else if (source.device() == device()) {
      long[] size = {count()};
      long[] unit = {1};
      TensorMath.strided(size, 1, source, unit, 0, this, unit);
    } else {
      try (Tensor converted = source.to(dtype)) {
        copyFrom(converted);
      }
    }
    return this;
  }

  /** One element. Slow: use the bulk copies for many. */
  public double get(long... index) {
    long at = offset(index) * dtype.bytes();
    if (dtype == DType.F64) {
      double[] value = new double[1];
      memory.get(at, value, 0, 1);
      return value[0];
    }
    float[] value = new float[1];
    memory.get(at, value, 0, 1);
    return value[0];
  }

  /** Sets one element. Slow: use the bulk copies for many. */
  public void set(double value, long... index) {
    long at = offset(index) * dtype.bytes();
    if (dtype == DType.F64) {
      memory.put(at, new double[] {value}, 0, 1);
    } else {
      memory.put(at, new float[] {(float) value}, 0, 1);
    }
  }

  private long offset(long[] index) {
    Checks.that(
        index.length == shape.rank(),
        "index %s: expected %d axes of %s",
        Arrays.toString(index),
        shape.rank(),
        shape);
    long[] strides = shape.strides();
    long offset = 0;
    for (int axis = 0; axis < index.length; axis++) {
      Checks.that(
          index[axis] >= 0 && index[axis] < shape.size(axis),
          "index %s: outside of shape %s",
          Arrays.toString(index),
          shape);
      offset += index[axis] * strides[axis];
    }
    return offset;
  }

  /** Overwrites all elements with the values, rounded where the type is f32. */
  public Tensor copyFrom(double[] values) {
    Checks.notNull(values, "values");
    Checks.that(
        values.length == count(),
        "values: expected %d for shape %s, got %d",
        count(),
        shape,
        values.length);
    if (dtype == DType.F64) {
      memory.put(0, values, 0, values.length);
      return this;
    }
    float[] chunk = new float[Math.min(CHUNK, values.length)];
    for (int start = 0; start < values.length; start += CHUNK) {
      int length = Math.min(CHUNK, values.length - start);
      for (int i = 0; i < length; i++) {
        chunk[i] = (float) values[start + i];
      }
      memory.put((long) start * Float.BYTES, chunk, 0, length);
    }
    return this;
  }

  /** Overwrites all elements with the values. */
  public Tensor copyFrom(float[] values) {
    Checks.notNull(values, "values");
    Checks.that(
        values.length == count(),
        "values: expected %d for shape %s, got %d",
        count(),
        shape,
        values.length);
    if (dtype == DType.F32) {
      memory.put(0, values, 0, values.length);
      return this;
    }
    double[] chunk = new double[Math.min(CHUNK, values.length)];
    for (int start = 0; start < values.length; start += CHUNK) {
      int length = Math.min(CHUNK, values.length - start);
      for (int i = 0; i < length; i++) {
        chunk[i] = values[start + i];
      }
      memory.put((long) start * Double.BYTES, chunk, 0, length);
    }
    return this;
  }

  /** Overwrites all elements with the remaining values of a buffer, which is left as it is. */
  public Tensor copyFrom(DoubleBuffer values) {
    double[] array = new double[values.remaining()];
    values.duplicate().get(array);
    return copyFrom(array);
  }

  /** Overwrites all elements with the remaining values of a buffer, which is left as it is. */
  public Tensor copyFrom(FloatBuffer values) {
    float[] array = new float[values.remaining()];
    values.duplicate().get(array);
    return copyFrom(array);
  }

  /** Overwrites all elements with raw little-endian bytes of this tensor's type. */
  public Tensor copyFromBytes(byte[] source, int start, long firstElement, int elements) {
    Checks.that(
        ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN,
        "byte order: expected a little-endian machine");
    long first = byteOffset(firstElement, elements);
    memory.put(first, source, start, elements * dtype.bytes());
    return this;
  }

  /** Raw little-endian bytes of {@code elements} elements from {@code firstElement} on. */
  public byte[] toBytes(long firstElement, int elements) {
    long first = byteOffset(firstElement, elements);
    byte[] target = new byte[elements * dtype.bytes()];
    memory.get(first, target, 0, target.length);
    return target;
  }

  private long byteOffset(long first, int elements) {
    int most = (Integer.MAX_VALUE - 8) / dtype.bytes();
    Checks.that(
        first >= 0 && elements >= 0 && elements <= most && first <= count() - elements,
        "elements: expected a part of %d, at most %d at once, got %d from %d",
        count(),
        most,
        elements,
        first);
    return first * dtype.bytes();
  }

  /**
   * All elements as doubles.
   *
   * @throws IllegalArgumentException if there are more than a Java array holds
   */
  public double[] toDoubles() {
    double[] values = new double[arrayLength()];
    if (dtype == DType.F64) {
      memory.get(0, values, 0, values.length);
      return values;
    }
    float[] chunk = new float[Math.min(CHUNK, values.length)];
    for (int start = 0; start < values.length; start += CHUNK) {
      int length = Math.min(CHUNK, values.length - start);
      memory.get((long) start * Float.BYTES, chunk, 0, length);
      for (int i = 0; i < length; i++) {
        values[start + i] = chunk[i];
      }
    }
    return values;
  }

  /** All elements as floats; f64 is rounded to nearest. */
  public float[] toFloats() {
    float[] values = new float[arrayLength()];
    if (dtype == DType.F32) {
      memory.get(0, values, 0, values.length);
      return values;
    }
    double[] wide = toDoubles();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) wide[i];
    }
    return values;
  }

  private int arrayLength() {
    Checks.that(
        count() <= Integer.MAX_VALUE - 8, "tensor %s: too many elements for a Java array", shape);
    return (int) count();
  }

  private long bytes() {
    return count() * dtype.bytes();
  }

  /** Tensors and other native resources not yet freed in this process, but for shared contexts. */
  public static long liveCount() {
    return NativeMemory.liveCount();
  }

  @Override
  public String toString() {
    String where = device() == Device.CPU ? "" : " on " + device();
    return "Tensor " + dtype + shape + where + (isClosed() ? " (closed)" : "");
  }
}
