package org.kpflow.experiment;

import java.nio.file.Path;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.operator.LinearOperator;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;
import org.kpflow.train.Network;

/** A GRU at one step of its training, linearized on the trials on which it is judged. */
final class GruCheckpoint implements AutoCloseable {
  private final ExecutionContext context;
  private final Gru model;
  private final Readout readout;
  private final Trials trials;
  private final Linearization linearization;
  private final DType dtype;

  /** Reads a checkpoint of a training to compute in a type; the trials stay the caller's. */
  GruCheckpoint(ExecutionContext context, Path file, Trials trials, DType dtype) {
    this.context = context;
    this.trials = trials;
    this.dtype = dtype;
    try (TensorMap weights = Safetensors.read(file, null)) {
      model = new Gru(weights.asMap(), ModelOptions.of(dtype));
      readout =
          new Readout(
              context,
              weights.get(Network.READOUT + ".weight"),
              weights.get(Network.READOUT + ".bias"),
              model.outputBlock(),
              dtype);
    }
    linearization = Linearization.of(context, model, trials.inputs(), null);
  }

  /** The usual analysis of this checkpoint. */
  AnalysisRequest request() {
    return AnalysisRequest.of(context, model, trials.inputs());
  }

  /** The state h [B, T, n], as a new tensor. */
  Tensor state() {
    return linearization.state();
  }

  /** The linearization, this object's. */
  Linearization linearization() {
    return linearization;
  }

  /** The read-out, this object's. */
  Readout readout() {
    return readout;
  }

  /** The outputs y [B, T, n_out], as a new tensor. */
  Tensor outputs() {
    try (Tensor state = linearization.state()) {
      return readout.apply(state);
    }
  }

  /** The mean squared error over all entries. */
  double loss() {
    try (Tensor state = linearization.state();
        Tensor targets = trials.targets().to(dtype);
        Readout.Loss loss = readout.meanSquaredError(state, targets)) {
      return loss.value();
    }
  }

  /** ∂L/∂h [B, T, n] of the mean squared error, as a new tensor. */
  Tensor error() {
    try (Tensor state = linearization.state();
        Tensor targets = trials.targets().to(dtype)) {
      Readout.Loss loss = readout.meanSquaredError(state, targets);
      loss.outputError().close();
      return loss.error();
    }
  }

  /** cos(NTK, V Vᵀ ⊗ I). */
  Estimate coreCosine(int probes, RngState rng) {
    try (Tensor gram = KroneckerCore.gram(linearization);
        Tensor narrow = gram.to(dtype)) {
      LinearOperator core = KroneckerCore.proxy(linearization, narrow);
      return NormEstimator.cosine(new NeuralTangentKernel(linearization), core, probes, rng);
    }
  }

  /**
   * How the modes of the target lie to the network. Mode i is the i-th target channel y_i over
   * trials and steps as a unit vector u_i [k]: the channels of Memory-Pro are orthogonal, so these
   * are the singular vectors of the target.
   *
   * @param learned ⟨u_i, output i⟩ / ||y_i||: 1 once the network puts the mode out in full
   * @param hidden ||Hᵀ u_i||² / ||H||_F²: the part of the hidden activity [k, n] along the mode
   * @param kernel ⟨U, NTK U⟩ / (||NTK||_F ||U||²) of the mode lifted to the state, U = u_i (W_outᵀ
   *     e_i)ᵀ
   * @param kernelError the relative standard error of ||NTK||_F, which all of these share
   */
  record ModeAlignment(double[] learned, double[] hidden, double[] kernel, double kernelError) {}

  /** The alignment of all channels. */
  ModeAlignment modes(int probes, RngState rng) {
    int channels = (int) readout.outputs();
    double[] learned = new double[channels];
    double[] hidden = new double[channels];
    double[] kernel = new double[channels];
    long rows = linearization.rows();
    LinearOperator ntk = new NeuralTangentKernel(linearization);
    Estimate norm = NormEstimator.frobenius(ntk, probes, rng);
    try (Tensor state = linearization.state();
        Tensor outputs = outputs()) {
      Tensor activity = state.reshape(Shape.of(rows, linearization.units()));
      double energy = TensorMath.dot(context, activity, activity);
      for (int i = 0; i < channels; i++) {
        try (Tensor mode = channel(trials.targets(), i);
            Tensor output = channel(outputs, i);
            Tensor along = Tensor.zeros(dtype, 1, linearization.units());
            Tensor lifted = lifted(mode, i)) {
          double size = TensorMath.norm(context, mode);
          learned[i] = TensorMath.dot(context, mode, output) / (size * size);
          Tensor row = mode.reshape(Shape.of(1, rows));
          TensorMath.gemm(context, false, false, 1 / size, row, activity, 0, along);
          hidden[i] = TensorMath.dot(context, along, along) / energy;
          kernel[i] = NormEstimator.rayleigh(ntk, lifted) / norm.value();
        }
      }
    }
    return new ModeAlignment(learned, hidden, kernel, norm.standardError() / norm.value());
  }

  /** One channel of [B, T, channels] as [k], new. */
  private Tensor channel(Tensor of, int i) {
    long channels = of.shape().size(2);
    long rows = of.count() / channels;
    Tensor out = Tensor.zeros(dtype, rows);
    Tensor flat = of.reshape(Shape.of(of.count())).slice(i, of.count() - i);
    TensorMath.strided(new long[] {rows}, 1, flat, new long[] {channels}, 0, out, new long[] {1});
    return out;
  }

  /** u (W_outᵀ e_i)ᵀ for a mode [k], as a state. */
  private Tensor lifted(Tensor mode, int i) {
    long channels = readout.outputs();
    long rows = mode.count();
    try (Tensor only =
        Tensor.zeros(dtype, linearization.trials(), linearization.steps(), channels)) {
      Tensor flat = only.reshape(Shape.of(only.count())).slice(i, only.count() - i);
      TensorMath.strided(
          new long[] {rows}, 1, mode, new long[] {1}, 0, flat, new long[] {channels});
      return readout.lift(only, linearization.units());
    }
  }

  @Override
  public void close() {
    linearization.close();
    readout.close();
    model.close();
  }
}
