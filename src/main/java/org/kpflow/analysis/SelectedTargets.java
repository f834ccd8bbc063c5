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
 * frees both.
 *
 * @param readout of R h; null if there is none
 * @param targets [B, T', n_out] at the steps kept; null with the read-out
 * @param missing why there is nothing to compare, or null
 */
record SelectedTargets(Readout readout, Tensor targets, String missing) implements AutoCloseable {

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
    long outputs = request.targets().shape().size(2);
    Shape shape = Shape.of(selected.range().size(0), selected.range().size(1), outputs);
    try (Tensor held = selected.linearization().held(request.targets())) {
      Tensor targets = selected.context().zeros(held.dtype(), shape);
      try (Tensor kept = selected.keptRows(held)) {
        targets.copyFrom(kept.reshape(shape));
        Readout readout =
            given == null
                ? Readout.identity(request.context(), place, selected.dtype())
                : given.on(request.context(), place);
        return new SelectedTargets(readout, targets, null);
      } catch (RuntimeException failure) {
        targets.close();
        throw failure;
      }
    }
  }

  private static SelectedTargets leftOut(String format, Object... arguments) {
    String why = String.format(Locale.ROOT, format, arguments);
    return new SelectedTargets(null, null, "the targets are left out: " + why);
  }

  @Override
  public void close() {
    if (missing == null) {
      readout.close();
      targets.close();
    }
  }
}
