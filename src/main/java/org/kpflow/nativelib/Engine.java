package org.kpflow.nativelib;

import java.util.Arrays;
import java.util.function.IntSupplier;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.kpflow.base.CancelledException;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NativeException;
import org.kpflow.base.NumericalException;

/**
 * The array functions of kpflow.h with Java's types: memory is kept alive for the time of a call,
 * and a status that is not OK becomes an exception. Sizes are checked here against the memory
 * given, so that no argument can make native code leave it.
 */
public final class Engine {
  static {
    // JavaCPP would stop allocating at about -Xmx; our memory is counted and bounded by
    // NativeMemory instead.
    System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
    Loader.load(Kpflow.class);
  }

  private static final int MOST_RESULTS = Integer.MAX_VALUE - 8; // what a Java array holds

  private Engine() {}

  /**
   * Loads the native library. Whatever makes a pointer before it calls Engine needs this first:
   * JavaCPP reads its limits once.
   */
  static void load() {}

  /** One line: version, compiler, BLAS and its kernel, CPU features in use. */
  public static String buildInfo() {
    return Kpflow.kpflow_build_info().getString();
  }

  /** Cores that this process may use. */
  public static int availableCores() {
    return Kpflow.kpflow_available_cores();
  }

  /** Bytes that can still be allocated on a device, -1 if it does not say. */
  public static long availableMemory(Device device) {
    return Kpflow.kpflow_available_memory(code(device));
  }

  /**
   * One line on a device: its name, its memory and what drives it.
   *
   * @throws InputException if there is no such device, saying why
   */
  public static String deviceInfo(Device device) {
    BytePointer line = Kpflow.kpflow_device_info(code(device));
    if (line == null || line.isNull()) {
      throw new InputException(lastError());
    }
    return line.getString();
  }

  /** The code of a device. That of CUDA once the native library knows where to look for it. */
  static int code(Device device) {
    if (Checks.notNull(device, "device") == Device.CUDA) {
      CudaLibrary.announce();
    }
    return device.nativeCode();
  }

  /** Copies bytes between two spans of the same length, of any devices. */
  public static void copy(NativeMemory source, NativeMemory target) {
    require(source.bytes() == target.bytes(), "copy: spans of different lengths");
    Device device = source.device() == Device.CPU ? target.device() : source.device();
    call(
        () ->
            Kpflow.kpflow_buffer_copy(
                device.nativeCode(), source.pointer(), target.pointer(), source.bytes()),
        source,
        target);
  }

  /** y = alpha x + beta y over count elements. */
  public static void axpby(
      ContextHandle context,
      DType dtype,
      long count,
      double alpha,
      NativeMemory x,
      double beta,
      NativeMemory y) {
    holds(x, dtype, count);
    holds(y, dtype, count);
    context.call(
        c ->
            Kpflow.kpflow_axpby(
                c, dtype.nativeCode(), count, alpha, x.pointer(), beta, y.pointer()),
        x,
        y);
  }

  /** The inner products of corresponding rows, accumulated in f64. */
  public static double[] dot(
      ContextHandle context, DType dtype, long rows, long columns, NativeMemory x, NativeMemory y) {
    holds(x, dtype, product(rows, columns));
    holds(y, dtype, product(rows, columns));
    require(rows <= MOST_RESULTS, "rows: expected at most " + MOST_RESULTS + ", got " + rows);
    double[] result = new double[(int) rows];
    try (DoublePointer out = new DoublePointer(Math.max(rows, 1))) {
      context.call(
          c ->
              Kpflow.kpflow_dot(
                  c, dtype.nativeCode(), rows, columns, x.pointer(), y.pointer(), out),
          x,
          y);
      out.get(result);
    }
    return result;
  }

  /** C = alpha op(A) op(B) + beta C, row-major; op(A) is [m, k], op(B) is [k, n]. */
  public static void gemm(
      ContextHandle context,
      DType dtype,
      boolean transposeA,
      boolean transposeB,
      long m,
      long n,
      long k,
      double alpha,
      NativeMemory a,
      NativeMemory b,
      double beta,
      NativeMemory c) {
    holds(a, dtype, product(m, k));
    holds(b, dtype, product(k, n));
    holds(c, dtype, product(m, n));
    context.call(
        handle ->
            Kpflow.kpflow_gemm(
                handle,
                dtype.nativeCode(),
                transposeA ? 1 : 0,
                transposeB ? 1 : 0,
                m,
                n,
                k,
                alpha,
                a.pointer(),
                b.pointer(),
                beta,
                c.pointer()),
        a,
        b,
        c);
  }

  /**
   * out [m, s] in f64, on the CPU, = X Yᵀ for tall blocks X [m, n], Y [s, n], accumulated in f64.
   */
  public static void rowProducts(
      ContextHandle context,
      DType dtype,
      long m,
      long s,
      long n,
      NativeMemory x,
      NativeMemory y,
      NativeMemory out) {
    holds(x, dtype, product(m, n));
    holds(y, dtype, product(s, n));
    holds(out, DType.F64, product(m, s));
    context.requireOwn(x, y);
    requireHost(out);
    context.callAnywhere(
        c ->
            Kpflow.kpflow_row_products(
                c, dtype.nativeCode(), m, s, n, x.pointer(), y.pointer(), doubles(out)),
        x,
        y,
        out);
  }

  /** The first k rows of X [m, n] become C X, C [k, m] in f64 on the CPU; the others stay. */
  public static void combineRows(
      ContextHandle context,
      DType dtype,
      long k,
      long m,
      long n,
      NativeMemory coefficients,
      NativeMemory x) {
    holds(coefficients, DType.F64, product(k, m));
    holds(x, dtype, product(m, n));
    context.requireOwn(x);
    requireHost(coefficients);
    context.callAnywhere(
        c ->
            Kpflow.kpflow_combine_rows(
                c, dtype.nativeCode(), k, m, n, doubles(coefficients), x.pointer()),
        coefficients,
        x);
  }

  /**
   * y[i . yStrides] = alpha x[i . xStrides] + beta y[i . yStrides] for every index i of the shape,
   * in row-major order.
   */
  public static void stridedAxpby(
      ContextHandle context,
      long[] shape,
      double alpha,
      DType xType,
      NativeMemory x,
      long[] xStrides,
      double beta,
      DType yType,
      NativeMemory y,
      long[] yStrides) {
    require(
        shape.length == xStrides.length && shape.length == yStrides.length,
        "strides: one per axis expected");
    try (LongPointer sizes = new LongPointer(padded(shape));
        LongPointer xs = new LongPointer(padded(xStrides));
        LongPointer ys = new LongPointer(padded(yStrides))) {
      context.call(
          c ->
              Kpflow.kpflow_strided_axpby(
                  c,
                  shape.length,
                  sizes,
                  alpha,
                  xType.nativeCode(),
                  x.pointer(),
                  x.bytes() / xType.bytes(),
                  xs,
                  beta,
                  yType.nativeCode(),
                  y.pointer(),
                  y.bytes() / yType.bytes(),
                  ys),
          x,
          y);
    }
  }

  /**
   * out += alpha times the sum over samples and traced axes of x xᵀ; x [s, B, T, n], bit 0, 1, 2 of
   * keep marks B, T, n as kept, out [d, d] in f64.
   */
  public static void accumulateGram(
      ContextHandle context,
      DType dtype,
      long s,
      long trials,
      long steps,
      long units,
      NativeMemory x,
      int keep,
      double alpha,
      NativeMemory out) {
    holds(x, dtype, product(s, trials, steps, units));
    long d =
        product(
            (keep & 1) != 0 ? trials : 1, (keep & 2) != 0 ? steps : 1, (keep & 4) != 0 ? units : 1);
    holds(out, DType.F64, product(d, d));
    context.monitored(
        (c, monitor) ->
            Kpflow.kpflow_accumulate_gram(
                c,
                dtype.nativeCode(),
                s,
                trials,
                steps,
                units,
                x.pointer(),
                keep,
                alpha,
                out.pointer(),
                monitor),
        x,
        out);
  }

  /**
   * Element i of out depends on (seed, offset + i) alone. Distribution codes are those of kpflow.h.
   */
  public static void fillRandom(
      ContextHandle context,
      DType dtype,
      int distribution,
      long seed,
      long offset,
      long count,
      NativeMemory out) {
    holds(out, dtype, count);
    context.call(
        c ->
            Kpflow.kpflow_fill_random(
                c, dtype.nativeCode(), distribution, seed, offset, count, out.pointer()),
        out);
  }

  /**
   * Eigenvalues, ascending, of the symmetric matrix a [n, n] (f64, on the CPU), which is
   * overwritten, with its row eigenvectors if wanted.
   */
  public static double[] symmetricEigen(long n, NativeMemory a, boolean vectors) {
    holds(a, DType.F64, product(n, n));
    requireHost(a);
    double[] values = new double[Math.toIntExact(n)];
    try (DoublePointer out = new DoublePointer(Math.max(n, 1))) {
      call(() -> Kpflow.kpflow_symmetric_eigen(n, doubles(a), out, vectors ? 1 : 0), a);
      out.get(values);
    }
    return values;
  }

  /**
   * Singular values, descending, of a [m, n] (f64, on the CPU, overwritten); u [m, r] and vt [r, n]
   * with r = min(m, n), or both null.
   */
  public static double[] svd(long m, long n, NativeMemory a, NativeMemory u, NativeMemory vt) {
    long rank = Math.min(m, n);
    holds(a, DType.F64, product(m, n));
    require((u == null) == (vt == null), "svd: u and vt come together");
    requireHost(a);
    double[] values = new double[Math.toIntExact(rank)];
    try (DoublePointer out = new DoublePointer(Math.max(rank, 1))) {
      if (u == null) {
        call(() -> Kpflow.kpflow_svd(m, n, doubles(a), out, null, null), a);
      } else {
        holds(u, DType.F64, product(m, rank));
        holds(vt, DType.F64, product(rank, n));
        requireHost(u, vt);
        call(() -> Kpflow.kpflow_svd(m, n, doubles(a), out, doubles(u), doubles(vt)), a, u, vt);
      }
      out.get(values);
    }
    return values;
  }

  /** Replaces the rows of a [m, n], m at most n, by an orthonormal basis of their span. */
  public static void orthonormalize(
      ContextHandle context, DType dtype, long m, long n, NativeMemory a) {
    holds(a, dtype, product(m, n));
    context.call(c -> Kpflow.kpflow_orthonormalize(c, dtype.nativeCode(), m, n, a.pointer()), a);
  }

  /** Refuses memory of another device than the CPU. */
  static void requireHost(NativeMemory... arrays) {
    for (NativeMemory memory : arrays) {
      Checks.device("array", Device.CPU, memory.device());
    }
  }

  static DoublePointer doubles(NativeMemory memory) {
    return new DoublePointer(memory.pointer());
  }

  /** The number of elements of an array of these sizes. */
  static long product(long... sizes) {
    long product = 1;
    for (long size : sizes) {
      require(size >= 0, "size: expected at least 0, got " + size);
      require(
          size == 0 || product <= Long.MAX_VALUE / size,
          "size: the product of " + Arrays.toString(sizes) + " overflows");
      product *= size;
    }
    return product;
  }

  static void holds(NativeMemory memory, DType dtype, long count) {
    require(
        count >= 0 && memory.bytes() / dtype.bytes() >= count,
        "array: " + memory.bytes() + " bytes do not hold " + count + " elements of " + dtype);
  }

  static void require(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  /** Runs a call with its memory kept alive and turns its status into an exception. */
  static void call(IntSupplier body, NativeMemory... used) {
    int acquired = 0;
    try {
      for (NativeMemory memory : used) {
        memory.acquire();
        acquired++;
      }
      check(body.getAsInt());
    } finally {
      for (int i = 0; i < acquired; i++) {
        used[i].release();
      }
    }
  }

  /** The one place where a native status becomes an exception. */
  static void check(int status) {
    if (status == Kpflow.KPFLOW_OK) {
      return;
    }
    String message = lastError();
    if (status == Kpflow.KPFLOW_INVALID_ARGUMENT) {
      throw new IllegalArgumentException(message);
    } else if (status == Kpflow.KPFLOW_OUT_OF_MEMORY) {
      throw new MemoryException(message);
    } else if (status == Kpflow.KPFLOW_CANCELLED) {
      throw new CancelledException(message);
    } else if (status == Kpflow.KPFLOW_UNAVAILABLE) {
      throw new InputException(message);
    } else if (status == Kpflow.KPFLOW_NUMERICAL || status == Kpflow.KPFLOW_NO_CONVERGENCE) {
      throw new NumericalException(message);
    }
    throw new NativeException("native status " + status + ": " + message);
  }

  private static String lastError() {
    BytePointer text = Kpflow.kpflow_last_error();
    return text == null ? "no explanation" : text.getString();
  }

  /** JavaCPP refuses empty arrays; an operation over no axes handles one element. */
  private static long[] padded(long[] values) {
    return values.length == 0 ? new long[1] : values;
  }

  /** The address of optional memory. */
  static Pointer pointerOrNull(NativeMemory memory) {
    return memory == null ? null : memory.pointer();
  }
}
