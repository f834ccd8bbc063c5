package org.kpflow.nativelib;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.kpflow.base.CancelledException;

/**
 * What a running native call shares with Java: a cancel flag, which a thread interrupt sets, and
 * the steps done so far. Each thread has one; a daemon looks every 20 ms whether a thread inside a
 * native call has been interrupted.
 */
public final class Monitor {
  private static final Map<Thread, Monitor> RUNNING = new ConcurrentHashMap<>();
  private static final ThreadLocal<Monitor> CURRENT = ThreadLocal.withInitial(Monitor::new);

  static {
    Engine.load();
    Thread watcher = new Thread(Monitor::watch, "kpflow-interrupt-watch");
    watcher.setDaemon(true);
    watcher.start();
  }

  private final kpflow_monitor shared = new kpflow_monitor();
  private int
      depth; // native calls of this thread under way: an operator written in Java may call back in

  private Monitor() {
    shared.cancel(0).done(0);
  }

  /** The calling thread's monitor. */
  public static Monitor current() {
    return CURRENT.get();
  }

  /** Steps of the running or last call that are done; may be read by other threads. */
  public long done() {
    return shared.done();
  }

  /** Marks the calling thread as inside a native call. */
  kpflow_monitor enter() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException("cancelled: the thread was interrupted before the call");
    }
    if (depth++ == 0) {
      synchronized (this) { // a cancel meant for an earlier call must not reach this one
        shared.cancel(0).done(0);
      }
      RUNNING.put(Thread.currentThread(), this);
    }
    return shared;
  }

  void leave() {
    if (--depth == 0) {
      RUNNING.remove(Thread.currentThread());
    }
  }

  private static void watch() {
    try {
      while (true) {
        Thread.sleep(20);
        RUNNING.forEach(
            (thread, monitor) -> {
              synchronized (monitor) {
                if (thread.isInterrupted()) {
                  monitor.shared.cancel(1);
                }
              }
            });
      }
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
    }
  }
}
