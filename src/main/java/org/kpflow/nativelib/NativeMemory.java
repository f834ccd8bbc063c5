package org.kpflow.nativelib;

import java.nio.DoubleBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.kpflow.base.Checks;
import org.kpflow.base.MemoryException;

/**
 * A span of 64-byte aligned off-heap memory, zero-filled when allocated. A span is a part of one
 * allocation; closing the span that allocated it ends them all. Memory in use by a native call is
 * freed only when that call returns.
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

  /**
   * Zero-filled memory.
   *
   * @throws MemoryException if it cannot be had
   */
  public static NativeMemory allocate(long bytes) {
    Checks.that(bytes >= 0, "bytes: expected at least 0, got %d", bytes);
    if (bytes > LARGE) {
      requireAvailable(bytes);
    }
    Pointer pointer = Kpflow.kpflow_buffer_allocate(bytes);
    if (pointer == null || pointer.isNull()) {
      throw new MemoryException("cannot allocate " + bytes + " bytes: the system refused");
    }
    Allocation allocation = new Allocation(pointer, bytes);
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

  /** Refuses large requests before the system hands out memory that it does not have. */
  private static void requireAvailable(long bytes) {
    long available = Engine.availableMemory();
    if (available >= 0 && bytes > available) {
      throw new MemoryException(
          "cannot allocate "
              + bytes
              + " bytes: "
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

  /** Native resources (memory, contexts, linearizations) not yet freed in this process. */
  public static long liveCount() {
    return Lifetime.LIVE.get();
  }

  /** Native resources that were never closed and that the garbage collector found. */
  public static long leakedCount() {
    return Lifetime.LEAKED.get();
  }

  public void put(long byteOffset, double[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    access(byteOffset, (long) count * Double.BYTES);
    try {
      new DoublePointer(at(byteOffset)).put(source, start, count);
    } finally {
      release();
    }
  }

  public void get(long byteOffset, double[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    access(byteOffset, (long) count * Double.BYTES);
    try {
      new DoublePointer(at(byteOffset)).get(target, start, count);
    } finally {
      release();
    }
  }

  public void put(long byteOffset, float[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    access(byteOffset, (long) count * Float.BYTES);
    try {
      new FloatPointer(at(byteOffset)).put(source, start, count);
    } finally {
      release();
    }
  }

  public void get(long byteOffset, float[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    access(byteOffset, (long) count * Float.BYTES);
    try {
      new FloatPointer(at(byteOffset)).get(target, start, count);
    } finally {
      release();
    }
  }

  public void put(long byteOffset, byte[] source, int start, int count) {
    inside(source == null ? -1 : source.length, start, count);
    access(byteOffset, count);
    try {
      new BytePointer(at(byteOffset)).put(source, start, count);
    } finally {
      release();
    }
  }

  public void get(long byteOffset, byte[] target, int start, int count) {
    inside(target == null ? -1 : target.length, start, count);
    access(byteOffset, count);
    try {
      new BytePointer(at(byteOffset)).get(target, start, count);
    } finally {
      release();
    }
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

  private void access(long byteOffset, long length) {
    Checks.that(
        byteOffset >= 0 && byteOffset <= bytes - length,
        "access: expected a part of %d bytes, got %d bytes from %d",
        bytes,
        length,
        byteOffset);
    acquire();
  }

  private static class Allocation extends Lifetime {
    private final Pointer pointer;
    private final long bytes;

    Allocation(Pointer pointer, long bytes) {
      super("tensor");
      this.pointer = pointer;
      this.bytes = bytes;
    }

    @Override
    void free() {
      Kpflow.kpflow_buffer_free(pointer);
    }
  }

  /** Memory of a buffer of Java's, which the garbage collector frees. */
  private static final class Borrowed extends Allocation {
    private DoubleBuffer buffer;

    Borrowed(Pointer pointer, long bytes, DoubleBuffer buffer) {
      super(pointer, bytes);
      this.buffer = buffer;
    }

    @Override
    void free() {
      buffer = null;
    }
  }
}
