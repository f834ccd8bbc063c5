package org.kpflow.cli;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;

/**
 * While it listens, Ctrl-C ends a long computation with what it has, and so does SIGTERM, which job
 * schedulers send; a second one ends the program at once. The JDK's only way to a signal is
 * sun.misc.Signal, whose use the compiler warns about; where it is missing, a signal ends the
 * program as it always does.
 */
final class StopOnInterrupt {
  private static final List<String> SIGNALS = List.of("INT", "TERM");
  private static final int INTERRUPTED = 130; // 128 + SIGINT, as shells have it

  private final Runnable end;
  private final String message;
  private final Map<String, Object> before = new LinkedHashMap<>(); // handlers by signal
  private boolean stopping;

  private StopOnInterrupt(Runnable end, String message) {
    this.end = end;
    this.message = message;
    for (String signal : SIGNALS) {
      Object handler = handle(signal, null);
      if (handler != null) {
        before.put(signal, handler);
      }
    }
  }

  /** Runs a computation that an interrupt of its thread can end. */
  static <T> T during(Callable<T> computation) throws Exception {
    Thread worker = Thread.currentThread();
    return during(worker::interrupt, "stopping; what is done will be written", computation);
  }

  /**
   * Runs a computation that can be ended.
   *
   * @param end ends it, called by another thread
   * @param message what the user is told then
   */
  static <T> T during(Runnable end, String message, Callable<T> computation) throws Exception {
    StopOnInterrupt listening = new StopOnInterrupt(end, message);
    try {
      return computation.call();
    } finally {
      listening.before.forEach(listening::handle);
    }
  }

  private synchronized void stop() {
    if (stopping) {
      Runtime.getRuntime().halt(INTERRUPTED);
    }
    stopping = true;
    System.err.println("\nkpflow: " + message + " (Ctrl-C again ends at once)");
    end.run();
  }

  /** Installs a handler, or ours for null; returns the one before, or null where there is none. */
  private Object handle(String name, Object given) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handler = Class.forName("sun.misc.SignalHandler");
      Object ours = given;
      if (ours == null) {
        ours =
            Proxy.newProxyInstance(
                handler.getClassLoader(),
                new Class<?>[] {handler},
                (proxy, method, arguments) -> {
                  stop();
                  return null;
                });
      }
      Method install = signal.getMethod("handle", signal, handler);
      return install.invoke(null, signal.getConstructor(String.class).newInstance(name), ours);
    } catch (ReflectiveOperationException | IllegalArgumentException unavailable) {
      return null;
    }
  }
}
