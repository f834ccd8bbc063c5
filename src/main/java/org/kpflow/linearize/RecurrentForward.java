package org.kpflow.linearize;

import java.util.ArrayList;
import java.util.List;
import org.kpflow.base.Shape;
import org.kpflow.model.CellModel;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.WeightFamily;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.NativeMemory;
import org.kpflow.nativelib.RecurrentDescription;
import org.kpflow.nativelib.RecurrentDescription.CellTrajectory;
import org.kpflow.nativelib.RecurrentDescription.Layer;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Describes a recurrent model to the engine, which runs its cell unless that is written in Java.
 */
final class RecurrentForward {
  private RecurrentForward() {}

  /** x [B, T, n_in] with every step repeated, [B, stages T, n_in], as a new tensor. */
  static Tensor held(Tensor x, long stages) {
    long trials = x.shape().size(0);
    long steps = x.shape().size(1);
    long d = x.shape().size(2);
    Tensor out = Tensor.zeros(x.device(), x.dtype(), Shape.of(trials, stages * steps, d));
    TensorMath.strided(
        new long[] {trials * steps, stages, d},
        1,
        x,
        new long[] {d, 0, 1},
        0,
        out,
        new long[] {stages * d, d, 1});
    return out;
  }

  /**
   * The linearization along the model's own trajectory, or a given one.
   *
   * @param x [B, T, n_in], like all of the model's type; T counts steps of the state
   * @param initial [B, n] or null
   * @param trajectory [B, T, n] or null
   * @param old a linearization whose memory is taken over, or null
   */
  static LinearizationHandle linearize(
      ExecutionContext context,
      RecurrentModel model,
      Tensor x,
      Tensor initial,
      Tensor trajectory,
      LinearizationHandle old) {
    if (model instanceof CellModel written) {
      try (CellForward forward = new CellForward(context, written, x, initial, trajectory)) {
        forward.run();
        return run(context, describe(model, null, x, null, null, forward.trajectories()), old);
      }
    }
    return run(context, describe(model, model.cell(), x, initial, trajectory, null), old);
  }

  private static LinearizationHandle run(
      ExecutionContext context, RecurrentDescription description, LinearizationHandle old) {
    return old == null
        ? LinearizationHandle.recurrent(context.handle(), description)
        : old.replaced(description);
  }

  private static RecurrentDescription describe(
      RecurrentModel model,
      String cell,
      Tensor x,
      Tensor initial,
      Tensor trajectory,
      List<CellTrajectory> computed) {
    List<Layer> layers = new ArrayList<>();
    for (int l = 0; l < model.layers(); l++) {
      int trainable = 0;
      for (WeightFamily family : model.families()) {
        if (family.layer() == l && family.trainable()) {
          trainable |= 1 << family.index() % RecurrentModel.NAMES.size();
        }
      }
      layers.add(
          new Layer(
              trainable,
              memory(model, "weight_ih_l" + l),
              memory(model, "weight_hh_l" + l),
              memory(model, "bias_ih_l" + l),
              memory(model, "bias_hh_l" + l),
              computed == null ? null : computed.get(l)));
    }
    return new RecurrentDescription(
        cell,
        model.cellParameter(),
        model.gates(),
        model.components(),
        model.dtype(),
        x.shape().size(0),
        x.shape().size(1),
        model.inputs(),
        model.units(),
        layers,
        x.memory(),
        initial == null ? null : initial.memory(),
        trajectory == null ? null : trajectory.memory());
  }

  private static NativeMemory memory(RecurrentModel model, String name) {
    return model.hasWeight(name) ? model.weight(name).memory() : null;
  }
}
