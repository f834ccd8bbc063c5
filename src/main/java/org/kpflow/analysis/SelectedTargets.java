package org.kpflow.analysis;

import java.util.Arrays;
import java.util.Locale;
import org.kpflow.base.Shape;
import org.kpflow.flow.StateRestriction;
import org.kpflow.model.Readout;
import org.kpflow.model.StateBlock;
import org.kpflow.tensor.Tensor;

/**
 * What a request's targets are compared with on the part of the state that is analysed. Closing
 * frees all.
 *
 * @param readout of R h; null if there is none
 * @param targets [B, T', n_out] at the steps kept, 0 at those that do not count; null with the
 *     read-out
 * @param mask [B, T'], 1 at the steps that count and 0 elsewhere; null where all do
 * @param missing why there is nothing to compare, or null
 */
record SelectedTargets(Readout readout, Tensor targets, Tensor mask, String missing)
    implements AutoCloseable {

  /** The targets of a request that has some. */
  static SelectedTargets of(AnalysisRequest request, StateRestriction selected) {
    Readout given = request.readout();
    StateBlock read = given == null ? request.model().outputBlock() : given.block();
    StateBlock place = selected.place(read);
    if (place == null) {
      return leftOut(
          "they are compared with what is read from %s, which the selection (%s) does not keep as"
              + " a whole",
          read.name(), request.selection());
    }
    long stages = selected.linearization().stepsPerInput();
    if (Arrays.stream(selected.steps()).anyMatch(step -> (step + 1) % stages != 0)) {
      return leftOut(
          "the network takes %d steps per input and has an output after the last, of which the"
              + " selection (%s) keeps others",
          stages, request.selection());
    }
    double[] counted = request.mask() == null ? null : counted(request.mask(), selected);
    if (counted != null && Arrays.stream(counted).sum() == 0) {
      return leftOut(
          "the loss counts none of the steps that the selection (%s) keeps", request.selection());
    }
    Tensor targets = null;
    Tensor mask = null;
    try {
      targets = targets(request.targets(), counted, selected);
      if (counted != null) {
        mask = selected.zeros(targets.shape().size(0), targets.shape().size(1));
        mask.copyFrom(counted);
      }
      Readout readout =
          given == null
              ? Readout.identity(request.context(), place, selected.dtype())
              : given.on(request.context(), place);
      return new SelectedTargets(readout, targets, mask, null);
    } catch (RuntimeException failure) {
      close(targets);
      close(mask);
      throw failure;
    }
  }

  /** The mask at the steps kept, [B T']. */
  private static double[] counted(Tensor mask, StateRestriction selected) {
    Shape shape = mask.shape();
    Tensor column = mask.reshape(Shape.of(shape.size(0), shape.size(1), 1));
    try (Tensor held = selected.linearization().held(column);
        Tensor kept = selected.keptRows(held)) {
      return kept.toDoubles();
    }
  }

  /** The targets at the steps kept, 0 at those that do not count, where the state is. */
  private static Tensor targets(Tensor all, double[] counted, StateRestriction selected) {
    long outputs = all.shape().size(2);
    Shape shape = Shape.of(selected.range().size(0), selected.range().size(1), outputs);
    try (Tensor held = selected.linearization().held(all);
        Tensor kept = selected.keptRows(held)) {
      Tensor targets = selected.context().zeros(held.dtype(), shape);
      try {
        if (counted == null) {
          targets.copyFrom(kept.reshape(shape));
        } else {
          double[] values = kept.toDoubles();
          for (int i = 0; i < values.length; i++) {
            values[i] = counted[(int) (i / outputs)] == 0 ? 0 : values[i]; // also where it is NaN
          }
          targets.copyFrom(values);
        }
        return targets;
      } catch (RuntimeException failure) {
        targets.close();
        throw failure;
      }
    }
  }

  private static SelectedTargets leftOut(String format, Object... arguments) {
    String why = String.format(Locale.ROOT, format, arguments);
    return new SelectedTargets(null, null, null, "the targets are left out: " + why);
  }

  @Override
  public void close() {
    if (missing == null) {
      readout.close();
      close(targets);
      close(mask);
    }
  }

  private static void close(Tensor optional) {
    if (optional != null) {
      optional.close();
    }
  }
}
