package org.kpflow.experiment;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.stream.LongStream;
import org.kpflow.base.DType;
import org.kpflow.loading.Architecture;
import org.kpflow.model.Gru;
import org.kpflow.model.Initialization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.task.Task;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.train.FreshWeights;
import org.kpflow.train.LearningRate;
import org.kpflow.train.Network;
import org.kpflow.train.Optimizer;
import org.kpflow.train.Parameter;
import org.kpflow.train.TrainingData;
import org.kpflow.train.TrainingObserver;
import org.kpflow.train.TrainingOptions;
import org.kpflow.train.TrainingPlan;
import org.kpflow.train.TrainingRun;
import org.kpflow.train.TrainingSetup;

/**
 * A GRU without biases and a linear read-out, trained in f32 in a folder of the run, where a killed
 * run takes it up again.
 *
 * @param name of the folder
 * @param task what it learns
 * @param dataset trials drawn once, 0 for new ones at every step
 * @param draw how batches are made
 * @param optimizer of the network's parameters
 * @param rate of learning
 * @param steps in all
 * @param every steps between checkpoints
 */
record GruTraining(
    String name,
    Task task,
    long dataset,
    TrainingData.Draw draw,
    BiFunction<ExecutionContext, List<Parameter>, Optimizer> optimizer,
    double rate,
    long steps,
    long every) {

  /** The steps that have a checkpoint. */
  long[] checkpoints() {
    return LongStream.concat(
            LongStream.iterate(0, step -> step < steps, step -> step + every), LongStream.of(steps))
        .toArray();
  }

  /** The file of one of them. */
  Path checkpoint(ExperimentRun run, long step) {
    return TrainingRun.checkpoint(run.folder(name), step);
  }

  /**
   * Trains from random weights of a rule, or goes on from where it was.
   *
   * @param rule of the recurrent weights; trainings of different rules start from the same read-out
   */
  void run(ExperimentRun run, Initialization rule, long units) {
    ExecutionContext context = run.context();
    try (Network network = network(context, rule, units, run.rng("weights"));
        Optimizer descent = optimizer.apply(context, network.parameters());
        TrainingData data =
            dataset == 0
                ? TrainingData.fresh(context, task, draw, DType.F32)
                : TrainingData.set(context, task, dataset, draw, DType.F32)) {
      TrainingSetup setup =
          new TrainingSetup(
              context,
              network,
              descent,
              data.batches(),
              TrainingOptions.of(LearningRate.constant(rate)),
              data.evaluation(),
              Map.of("type", "gru"),
              Map.of(),
              Map.of());
      new TrainingRun(run.folder(name), setup, new TrainingPlan(steps, every, every, 0))
          .run(shownIn(run));
    }
  }

  private TrainingObserver shownIn(ExperimentRun run) {
    return new TrainingObserver() {
      @Override
      public void begins(long step, boolean done) {
        run.part(name, steps, step);
      }

      @Override
      public void step(long step, double loss, double evaluation) {
        run.partDone(step);
      }
    };
  }

  private Network network(ExecutionContext context, Initialization rule, long units, RngState rng) {
    FreshWeights fresh = new FreshWeights(Architecture.GRU, task.inputs(), units, 1, false);
    try (FreshWeights.Drawn weights = fresh.draw(context, rule, task.outputs(), true, rng)) {
      Gru gru = new Gru(weights.network(), ModelOptions.of(DType.F32));
      Readout readout =
          new Readout(
              context,
              weights.readout().get("weight"),
              weights.readout().get("bias"),
              gru.outputBlock(),
              DType.F32);
      return new Network(context, gru, readout, true);
    }
  }
}
