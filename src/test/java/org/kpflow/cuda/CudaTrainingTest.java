package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.GraphModels;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.Readout;
import org.kpflow.model.StateBlock;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.Adam;
import org.kpflow.train.GradientClipping;
import org.kpflow.train.LearningRate;
import org.kpflow.train.LossSteps;
import org.kpflow.train.Network;
import org.kpflow.train.Optimizer;
import org.kpflow.train.Parameter;
import org.kpflow.train.Sgd;
import org.kpflow.train.Shampoo;
import org.kpflow.train.Trainer;
import org.kpflow.train.TrainingData;
import org.kpflow.train.TrainingOptions;
import org.kpflow.train.WeightDecay;

/** Training on the GPU against the CPU: the same trials, losses, gradients and steps. */
class CudaTrainingTest extends OnCuda {
  private static final Sizes SIZES = new Sizes(3, 5, 2, 6);
  private static final int OUTPUTS = 2;
  private static final int STEPS = 4;

  @TempDir private Path directory;

  private static List<Supplier<ModelSample<?>>> models(DType dtype) {
    return List.of(
        () -> Kind.GRU.sample(dtype, SIZES, 3),
        () -> Kind.LSTM_STACK.sample(dtype, SIZES, 4),
        () -> GraphModels.Kind.CAUSAL_ATTENTION.sample(dtype, SIZES, 5),
        () ->
            new RandomModels.Sample(
                weights ->
                    new NeuralOde(weights, NeuralOde.Method.RK4, 0.2, 0.7, ModelOptions.of(dtype)),
                new Random(5),
                random -> RandomModels.weights(1, true, 1, SIZES, random),
                SIZES));
  }

  private static Network network(ExecutionContext context, ModelSample<?> sample) {
    DType dtype = sample.model.dtype();
    StateBlock block = sample.model.outputBlock();
    try (Tensor weight = RandomModels.gaussian(dtype, Shape.of(OUTPUTS, block.units()), 6);
        Tensor bias = RandomModels.gaussian(dtype, Shape.of(OUTPUTS), 7)) {
      return new Network(
          context, sample.model, new Readout(context, weight, bias, block, dtype), true);
    }
  }

  private static Trials trials(ExecutionContext context, ModelSample<?> sample) {
    DType dtype = sample.model.dtype();
    long count = sample.inputs.shape().size(0);
    long steps = sample.inputs.shape().size(1);
    Tensor mask = Tensor.zeros(dtype, count, steps);
    mask.set(1, 0, 1);
    mask.set(1, 2, steps - 1);
    try (Trials here =
        new Trials(
            sample.inputs.to(dtype),
            RandomModels.gaussian(dtype, Shape.of(count, steps, OUTPUTS), 8),
            mask)) {
      return here.to(context.device());
    }
  }

  @Test
  void lossesAndGradients() {
    for (DType dtype : DType.values()) {
      for (Supplier<ModelSample<?>> model : models(dtype)) {
        try (ModelSample<?> sample = model.get();
            ModelSample<?> sampleThere = model.get();
            Network cpu = network(ExecutionContext.shared(), sample);
            Network cuda = network(context, sampleThere);
            Trials trials = trials(ExecutionContext.shared(), sample);
            Trials trialsThere = trials(context, sample)) {
          double loss = cpu.lossAndGradient(trials);
          double lossThere = cuda.lossAndGradient(trialsThere);
          Cuda.assertClose("loss of " + sample.model, loss, lossThere, Cuda.tolerance(dtype));
          Cuda.assertSame("gradient of " + sample.model, cpu.gradient(), cuda.gradient());
          try (Tensor outputs = cpu.outputs(sample.inputs);
              Tensor outputsThere = cuda.outputs(sample.inputs)) {
            Cuda.assertSame("outputs of " + sample.model, outputs, outputsThere);
          }
          refused(() -> cuda.loss(trials), "targets", "expected device cuda, got cpu");
        }
      }
    }
  }

  @Test
  void steps() {
    List<Function<Network, Optimizer>> optimizers =
        List.of(
            network -> new Adam(network.context(), network.parameters()),
            network -> new Sgd(network.context(), network.parameters(), 0.9),
            network -> new Shampoo(network.context(), network.parameters(), 1e-3, 2));
    for (Function<Network, Optimizer> maker : optimizers) {
      for (WeightDecay decay : List.of(new WeightDecay(0.1, false), new WeightDecay(0.1, true))) {
        try (ModelSample<?> sample = Kind.GRU.sample(DType.F64, SIZES, 3);
            ModelSample<?> sampleThere = Kind.GRU.sample(DType.F64, SIZES, 3);
            Network cpu = network(ExecutionContext.shared(), sample);
            Network cuda = network(context, sampleThere);
            Optimizer optimizer = maker.apply(cpu);
            Optimizer optimizerThere = maker.apply(cuda)) {
          TrainingOptions options =
              new TrainingOptions(
                  LearningRate.constant(0.01), GradientClipping.byValue(0.05), decay);
          Trainer trainer =
              new Trainer(
                  cpu, optimizer, step -> trials(ExecutionContext.shared(), sample), options, 0);
          Trainer trainerThere =
              new Trainer(cuda, optimizerThere, step -> trials(context, sample), options, 0);
          for (int step = 0; step < STEPS; step++) {
            Cuda.assertClose("loss", trainer.advance(), trainerThere.advance(), 1e-10);
          }
          for (int i = 0; i < cpu.parameters().size(); i++) {
            Parameter parameter = cpu.parameters().get(i);
            Tensor there = cuda.parameters().get(i).value();
            assertTrue(Cuda.difference(parameter.value(), there) < 1e-9, () -> parameter.name());
            assertEquals(Device.CUDA, there.device());
          }
          optimizer
              .state()
              .forEach(
                  (name, tensor) -> {
                    Tensor there = optimizerThere.state().get(name);
                    assertEquals(Device.CUDA, there.device());
                    assertTrue(Cuda.difference(tensor, there) < 1e-8, name);
                  });
          writeAndRead(cuda);
        }
      }
    }
  }

  /** Weights of the GPU go to a checkpoint and come back. */
  private void writeAndRead(Network cuda) {
    Path file = directory.resolve("weights.safetensors");
    Safetensors.write(file, cuda.weights(), java.util.Map.of());
    try (TensorMap stored = Safetensors.read(file, null)) {
      cuda.weights()
          .forEach((name, tensor) -> assertEquals(0, Cuda.difference(stored.get(name), tensor)));
    }
  }

  @Test
  void trialsAreTheSame() {
    MemoryPro task = new MemoryPro(5, 2, 3, 4);
    TrainingData.Draw draw = new TrainingData.Draw(3, 0.1, LossSteps.all(), RngState.of(4));
    try (TrainingData cpu = TrainingData.set(ExecutionContext.shared(), task, 5, draw, DType.F32);
        TrainingData cuda = TrainingData.set(context, task, 5, draw, DType.F32)) {
      for (long step = 1; step <= 3; step++) {
        try (Trials expected = cpu.batches().at(step);
            Trials found = cuda.batches().at(step)) {
          Cuda.assertSame("inputs", expected.inputs(), found.inputs());
          assertEquals(0, Cuda.difference(expected.inputs(), found.inputs()));
          assertEquals(0, Cuda.difference(expected.targets(), found.targets()));
        }
      }
      assertEquals(Device.CUDA, cuda.evaluation().inputs().device());
    }
  }
}
