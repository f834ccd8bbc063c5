package org.kpflow.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.Finite;
import org.kpflow.io.Npy;
import org.kpflow.tensor.Tensor;

/**
 * The trials that --trials names, of any array whose leading axis is B.
 *
 * @param trials a number, a list such as 0,5,10, or null for all
 */
record TrialSelection(String trials) {

  /** The wanted trials of a .npy file with that many axes; the caller closes the tensor. */
  Tensor read(Path file, int axes) {
    Tensor all = Npy.read(file);
    try {
      Finite.require(file.toString(), all);
      if (all.shape().rank() != axes) {
        throw new InputException(file + ": expected " + axes + " axes, got shape " + all.shape());
      }
      if (trials == null) {
        return all;
      }
      try (all) {
        return select(all, file);
      }
    } catch (RuntimeException failure) {
      all.close();
      throw failure;
    }
  }

  /**
   * The wanted trials [B, T, c] of a .npy file; the caller closes the tensor.
   *
   * @param mayLackSteps whether [B, c] is taken as well, as one step of every trial
   */
  Tensor sequences(Path file, boolean mayLackSteps) {
    if (!mayLackSteps || Npy.header(file).shape().rank() != 2) {
      return read(file, 3);
    }
    try (Tensor rows = read(file, 2)) {
      Shape shape = rows.shape();
      Tensor sequences = Tensor.zeros(rows.dtype(), shape.size(0), 1, shape.size(1));
      sequences.reshape(shape).copyFrom(rows);
      return sequences;
    }
  }

  /**
   * The wanted trials [B, T] of a .npy file that says which steps count; the caller closes the
   * tensor.
   *
   * @param mayLackSteps whether [B] is taken as well, as one step of every trial
   */
  Tensor mask(Path file, boolean mayLackSteps) {
    if (!mayLackSteps || Npy.header(file).shape().rank() != 1) {
      return read(file, 2);
    }
    try (Tensor column = read(file, 1)) {
      return column.reshape(Shape.of(column.count(), 1)).copy();
    }
  }

  /**
   * The labels of the wanted trials.
   *
   * @param count how many trials there are
   * @throws InputException if the file has not one integer for each
   */
  long[] labels(Path file, long count) {
    try (Tensor found = read(file, 1)) {
      if (found.shape().size(0) != count) {
        throw new InputException(
            file + ": expected one label for each of " + count + " trials, got " + found.shape());
      }
      double[] values = found.toDoubles();
      for (double value : values) {
        if (value != Math.rint(value)) {
          throw new InputException(file + ": expected integer labels, got " + value);
        }
      }
      return Arrays.stream(values).mapToLong(value -> (long) value).toArray();
    }
  }

  private Tensor select(Tensor all, Path file) {
    long count = all.shape().size(0);
    long[] chosen = chosen();
    Checks.that(chosen.length > 0, "--trials: expected at least one, got '%s'", trials);
    Tensor selected = Tensor.zeros(all.dtype(), all.shape().tail().block(chosen.length));
    for (int i = 0; i < chosen.length; i++) {
      if (chosen[i] < 0 || chosen[i] >= count) {
        selected.close();
        throw new InputException(
            "--trials: " + file + " has trials 0 to " + (count - 1) + ", got " + chosen[i]);
      }
      selected.slice(i).copyFrom(all.slice(chosen[i]));
    }
    return selected;
  }

  private long[] chosen() {
    try {
      return trials.contains(",")
          ? Arrays.stream(trials.split(","))
              .mapToLong(text -> Long.parseLong(text.trim()))
              .toArray()
          : LongStream.range(0, Long.parseLong(trials.trim())).toArray();
    } catch (NumberFormatException wrong) {
      throw new InputException(
          "--trials: expected a number or a list such as 0,5,10, got '" + trials + "'", wrong);
    }
  }
}
