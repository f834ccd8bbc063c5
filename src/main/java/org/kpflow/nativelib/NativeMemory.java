package org.kpflow.nativelib;

import java.nio.DoubleBuffer;
import java.util.function.Consumer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.kpflow.base.Checks;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;

/**
 * A span of 64-byte aligned memory of a device outside of Java's heap, zero-filled when allocated.
 * A span is a part of one allocation; closing the span that allocated it ends them all. Memory in
 * use by a native call is freed only when that call returns.
 */
public final class NativeMemory implements AutoCloseable {
  static {
    Engine.load();
  }

  private static final long LARGE = 16L << 20;

  private final Allocation allocation;
  private final Object
      owner; // shared by the spans of an allocation; when no span is reachable, the cleaner runs
  private final long offset;
  private final long bytes;

  private NativeMemory(Allocation allocation, Object owner, long offset, long bytes) {
    this.allocation = allocation;
    this.owner = owner;
    this.offset = offset;
    this.bytes = bytes;
  }

  /** Zero-filled memory of the CPU; see {@link #allocate(Device, long)}. */
  public static NativeMemory allocate(long bytes) {
    return allocate(Device.CPU, bytes);
  }

  /**
   * Zero-filled memory of a device.
   *
   * @throws MemoryException if it cannot be had
   * @throws org.kpflow.base.InputException if there is no such device
   */
  public static NativeMemory allocate(Device device, long bytes) {
    Checks.notNull(device, "device");
    Checks.that(bytes >= 0, "bytes: expected at least 0, got %d", bytes);
    if (bytes > LARGE) {
      requireAvailable(device, bytes);
    }
    Pointer pointer = Kpflow.kpflow_buffer_allocate(Engine.code(device), bytes);
    if (pointer == null || pointer.isNull()) {
      if (device != Device.CPU && Engine.availableMemory(device) < 0) {
        Engine.deviceInfo(device); // says why there is none
      }
      throw new MemoryException(
          "cannot allocate "
              + bytes
              + " bytes"
              + where(device)
              + ": the system refused; use smaller blocks, fewer trials or f32");
    }
    Allocation allocation = new Allocation(device, pointer, bytes);
    Object owner = new Object();
    allocation.guard(owner);
    return new NativeMemory(allocation, owner, 0, bytes);
  }

  /**
   * The memory of a direct buffer, from its position to its limit. The buffer stays alive with it.
   */
  public static NativeMemory of(DoubleBuffer buffer) {
    Checks.that(buffer.isDirect(), "buffer: expected a direct one");
    long bytes = (long) buffer.remaining() * Double.BYTES;
    // A slice begins at its own start: a pointer into a buffer would keep its position to itself.
    Pointer start = new BytePointer(new DoublePointer(buffer.slice())).capacity(bytes);
    Allocation allocation = new Borrowed(start, bytes, buffer);
    Object owner = new Object();
    allocation.guard(owner);
    return new NativeMemory(allocation, owner, 0, bytes);
  }

  private static String where(Device device) {
    return device == Device.CPU ? "" : " on " + device;
  }

  /** Refuses large requests before the system hands out memory that it does not have. */
  private static void requireAvailable(Device device, long bytes) {
    long available = Engine.availableMemory(device);
    if (available >= 0 && bytes > available) {
      throw new MemoryException(
          "cannot allocate "
              + bytes
              + " bytes"
              + where(device)
              + ": "
              + available
              + " are available; use smaller blocks, fewer trials or f32");
    }
  }

  /** A part of this memory; it shares the allocation and cannot outlive it. */
  public NativeMemory span(long start, long length) {
    Checks.that(
        start >= 0 && length >= 0 && start <= bytes - length,
        "span: expected a part of %d bytes, got %d bytes from %d",
        bytes,
        length,
        start);
    return new NativeMemory(allocation, owner, offset + start, length);
  }

  /** Whose memory this is. */
  public Device device() {
    return allocation.device;
  }

  /** Bytes of this span. */
  public long bytes() {
    return bytes;
  }

  /** Whether the two spans have a byte in common. */
  public boolean overlaps(NativeMemory other) {
    return allocation == other.allocation
        && offset < other.offset + other.bytes
        && other.offset < offset + bytes;
  }

  /** Whether the allocation has been closed. */
  public boolean isClosed() {
    return allocation.isClosed();
  }

  /**
   * Frees the allocation, at once or when the native calls that use it return. Closing twice does
   * nothing.
   */
  @Override
  public void close() {
    allocation.close();
  }

  /**
   * Native resources (memory, contexts, linearizations) not yet freed in this process, but for
   * contexts of the whole process.
   */
  public static long liveCount() {
    return Lifetime.LIVE.get();
  }

  /** Native resources that were never closed and that the garbage collector found. */
  public static long leakedCount() {
    return Lifetime.LEAKED.get();
  }

  public void put(long byteOffset, double[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    write(
        byteOffset,
        (long) count * Double.BYTES,
        p -> new DoublePointer(p).put(source, start, count));
  }

  public void get(long byteOffset, double[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    read(
        byteOffset,
        (long) count * Double.BYTES,
        p -> new DoublePointer(p).get(target, start, count));
  }

  public void put(long byteOffset, float[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    write(
        byteOffset, (long) count * Float.BYTES, p -> new FloatPointer(p).put(source, start, count));
  }

  public void get(long byteOffset, float[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    read(
        byteOffset, (long) count * Float.BYTES, p -> new FloatPointer(p).get(target, start, count));
  }

  public void put(long byteOffset, byte[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    write(byteOffset, count, p -> new BytePointer(p).put(source, start, count));
  }

  public void get(long byteOffset, byte[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    read(byteOffset, count, p -> new BytePointer(p).get(target, start, count));
  }

  /** Keeps the allocation alive until {@link #release}, for a native call. */
  void acquire() {
    allocation.acquire();
  }

  void release() {
    allocation.release();
  }

  /** The address of this span; valid between {@link #acquire} and {@link #release}. */
  Pointer pointer() {
    return at(0);
  }

  private Pointer at(long byteOffset) {
    return allocation.pointer.getPointer(offset + byteOffset);
  }

  /** Native code copies from and to Java's arrays without looking at their ends. */
  private static void inside(int length, int start, int count) {
    Checks.that(length >= 0, "array: expected a value, got null");
    Checks.that(
        start >= 0 && count >= 0 && start <= length - count,
        "array: expected a part of %d entries, got %d from %d",
        length,
        count,
        start);
  }

  /** Has a part of this memory written; that of another device by way of the CPU's. */
  private void write(long byteOffset, long length, Consumer<Pointer> fill) {
    access(byteOffset, length);
    if (device() == Device.CPU) {
      using(fill, byteOffset);
      return;
    }
    try (NativeMemory staging = allocate(length)) {
      staging.using(fill, 0);
      Engine.copy(staging, span(byteOffset, length));
    }
  }

  /** Has a part of this memory read; that of another device by way of the CPU's. */
  private void read(long byteOffset, long length, Consumer<Pointer> take) {
    access(byteOffset, length);
    if (device() == Device.CPU) {
      using(take, byteOffset);
      return;
    }
    try (NativeMemory staging = allocate(length)) {
      Engine.copy(span(byteOffset, length), staging);
      staging.using(take, 0);
    }
  }

  private void using(Consumer<Pointer> body, long byteOffset) {
    acquire();
    try {
      body.accept(at(byteOffset));
    } finally {
      release();
    }
  }

  private void access(long byteOffset, long length) {
    Checks.that(
        byteOffset >= 0 && byteOffset <= bytes - length,
        "access: expected a part of %d bytes, got %d bytes from %d",
        bytes,
        length,
        byteOffset);
  }

  private static class Allocation extends Lifetime {
    private final Device device;
    private final Pointer pointer;
    private final long bytes;

    Allocation(Device device, Pointer pointer, long bytes) {
      super("tensor");
      this.device = device;
      this.pointer = pointer;
      this.bytes = bytes;
    }

    @Override
    void free() {
      Kpflow.kpflow_buffer_free(device.nativeCode(), pointer);
    }
  }

  /** Memory of a buffer of Java's, which the garbage collector frees. */
  private static final class Borrowed extends Allocation {
    private DoubleBuffer buffer;

    Borrowed(Pointer pointer, long bytes, DoubleBuffer buffer) {
      super(Device.CPU, pointer, bytes);
      this.buffer = buffer;
    }

    @Override
    void free() {
      buffer = null;
    }
  }
}
