package org.kpflow.base;

/** Told how far a computation has come. */
public interface Progress {
  /** A progress that nobody looks at. */
  Progress NONE =
      new Progress() {
        @Override
        public void stage(String name, long total) {}

        @Override
        public void done(long count) {}
      };

  /** A part of the work begins; total is its number of steps, 0 when unknown. */
  void stage(String name, long total);

  /** A part that was begun before goes on after so many of its steps. */
  default void stage(String name, long total, long before) {
    stage(name, total);
    done(before);
  }

  /** Steps of the current part that are done. */
  void done(long count);
}
