package org.kpflow.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.kpflow.analysis.Progress;

/**
 * Progress with the time left on stderr; silent unless stderr is a terminal, which the launcher
 * says.
 */
final class ConsoleProgress implements Progress, AutoCloseable {
  private static final String TERMINAL = "kpflow.terminal";

  private final boolean shown = Boolean.getBoolean(TERMINAL);
  private ProgressBar bar;

  @Override
  public void stage(String name, long total) {
    close();
    if (shown && total > 0) {
      bar =
          new ProgressBarBuilder()
              .setTaskName(name)
              .setInitialMax(total)
              .setStyle(ProgressBarStyle.ASCII)
              .setUpdateIntervalMillis(250)
              .build();
    } else if (shown) {
      System.err.println(name);
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
  }
}
