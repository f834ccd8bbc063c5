package org.kpflow.nativelib;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The life of one native resource: closed at most once, freed when no native call uses it any more.
 * A resource that was never closed is freed when its owner is garbage, and counted as leaked.
 */
abstract class Lifetime {
  private static final Cleaner CLEANER = Cleaner.create();
  static final AtomicLong LIVE = new AtomicLong();
  static final AtomicLong LEAKED = new AtomicLong();

  private final String what;
  private final AtomicInteger users = new AtomicInteger(1);
  private volatile boolean closed;

  Lifetime(String what) {
    this.what = what;
    LIVE.incrementAndGet();
  }

  /**
   * Frees the resource once nobody can reach its owner. The owner must not be reachable from this
   * object.
   */
  void guard(Object owner) {
    CLEANER.register(owner, this::leak);
  }

  /** Takes a resource that lives as long as the process out of the count of those to be freed. */
  void forGood() {
    LIVE.decrementAndGet();
  }

  /** Gives the resource back to the native library. */
  abstract void free();

  boolean isClosed() {
    return closed;
  }

  void acquire() {
    int count;
    do {
      count = users.get();
      if (closed || count == 0) {
        throw new IllegalStateException("this " + what + " is closed; expected an open one");
      }
    } while (!users.compareAndSet(count, count + 1));
  }

  void release() {
    if (users.decrementAndGet() == 0) {
      free();
      LIVE.decrementAndGet();
    }
  }

  synchronized void close() {
    if (!closed) {
      closed = true;
      release();
    }
  }

  /**
   * Ends this life but keeps the resource, which is the caller's then.
   *
   * @throws IllegalStateException if it is closed, or in use by a native call
   */
  synchronized void handOver() {
    if (closed || !users.compareAndSet(1, 0)) {
      throw new IllegalStateException(
          "this " + what + " is closed or in use; expected an idle, open one");
    }
    closed = true;
    LIVE.decrementAndGet();
  }

  private void leak() {
    if (!closed) {
      LEAKED.incrementAndGet();
      close();
    }
  }
}
