package org.kpflow.cli;

import java.time.Duration;
import java.util.Timer;
import java.util.TimerTask;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.kpflow.base.Progress;
import org.kpflow.nativelib.Monitor;

/**
 * Progress with the time left on stderr; silent unless stderr is a terminal, which the launcher
 * says.
 */
final class ConsoleProgress implements Progress, AutoCloseable {
  private static final String TERMINAL = "kpflow.terminal";

  private final boolean shown = Boolean.getBoolean(TERMINAL);
  private String prefix = "";
  private ProgressBar bar;
  private Timer ticker;

  /** What stands before the names of the stages to come. */
  void prefix(String text) {
    prefix = text;
  }

  @Override
  public void stage(String stage, long total) {
    stage(stage, total, 0);
  }

  @Override
  public void stage(String stage, long total, long before) {
    close();
    String name = prefix + stage;
    if (shown && total > 0) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(250)
              .startsFrom(before, Duration.ZERO) // no part of the time left is taken from them
              .build();
    } else if (shown) {
      follow(name);
    }
  }

  /** A stage of unknown length: counts the steps of the native call that this thread is in. */
  private void follow(String name) {
    Monitor monitor = Monitor.current();
    ticker = new Timer("kpflow-progress", true);
    ticker.schedule(
        new TimerTask() {
          @Override
          public void run() {
            System.err.printf("\r%s, %,d steps ", name, monitor.done());
          }
        },
        1000,
        500);
  }

  /** What stands behind the bar of the stage, such as a live number. */
  void note(String text) {
    if (bar != null) {
      bar.setExtraMessage(text);
    }
  }

  @Override
  public void done(long count) {
    if (bar != null) {
      bar.stepTo(count);
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
      bar = null;
    }
    if (ticker != null) {
      ticker.cancel();
      ticker = null;
      System.err.print("\r\u001b[K"); // clears the line
    }
  }
}
