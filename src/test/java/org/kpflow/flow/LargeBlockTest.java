package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Gru;
import org.kpflow.model.Mlp;
import org.kpflow.model.ModelOptions;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

class LargeBlockTest {
  private static final int PROBES =
      700; // whose gradients, 198,912 numbers each, take more than the 512 MiB kept at once
  private final ExecutionContext context = ExecutionContext.shared();

  @Test
  void aBlockWhoseGradientsAreFormedInPartsEqualsItsProbesOneByOne() {
    try (Tensor input = random(1, 768, 3);
        Tensor raw = random(2, 768, 256);
        Tensor hidden = Tensor.zeros(DType.F32, 768, 256);
        Tensor x = random(3, 1, 2, 3);
        Tensor probes = random(4, PROBES, 1, 2, 256)) {
      TensorMath.axpby(context, 1.0 / 16, raw, 0, hidden);
      Map<String, Tensor> weights = Map.of("weight_ih_l0", input, "weight_hh_l0", hidden);
      try (Gru model = new Gru(weights, ModelOptions.of(DType.F32));
          Linearization linearization = Linearization.of(context, model, x, null)) {
        assertEqual(linearization, probes, 673); // the last before the cut
      }
    }
  }

  @Test
  void soDoesABlockOfAFeedForwardModel() {
    try (Tensor first = random(1, 400, 3);
        Tensor raw = random(2, 400, 400);
        Tensor second = Tensor.zeros(DType.F32, 400, 400);
        Tensor x = random(3, 1, 2, 3);
        Tensor probes = random(4, 440, 1, 2, 800)) {
      TensorMath.axpby(context, 1.0 / 20, raw, 0, second);
      Map<String, Tensor> weights = Map.of("mlp_W_1", first, "mlp_W_2", second);
      try (GraphModel model = Mlp.of(weights, Activation.TANH, ModelOptions.of(DType.F32));
          Linearization linearization = Linearization.of(context, model, x, null)) {
        long most = (512L << 20) / Float.BYTES / (2 * linearization.parameterCount());
        assertTrue(most < 439, "the block is not cut: " + most);
        assertEqual(linearization, probes, most - 1);
      }
    }
  }

  /** The kernel on a block equals that on its probes, at both ends and at both sides of the cut. */
  private void assertEqual(Linearization linearization, Tensor probes, long last) {
    NeuralTangentKernel kernel = new NeuralTangentKernel(linearization);
    try (Tensor block = kernel.matmat(probes)) {
      for (long probe : new long[] {0, last, last + 1, probes.shape().size(0) - 1}) {
        try (Tensor single = kernel.matvec(probes.slice(probe))) {
          double norm = TensorMath.norm(context, single);
          TensorMath.axpby(context, -1, block.slice(probe), 1, single);
          assertTrue(norm > 0 && TensorMath.norm(context, single) < 1e-5 * norm, "probe " + probe);
        }
      }
    }
  }

  private Tensor random(long seed, long... sizes) {
    Tensor tensor = Tensor.zeros(DType.F32, Shape.of(sizes));
    RngState.of(seed).fill(context, RngState.Distribution.GAUSSIAN, tensor);
    return tensor;
  }
}
