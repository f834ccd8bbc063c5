package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Phase;
import org.kpflow.task.MemoryPro;
import org.kpflow.train.LossSteps;
import org.kpflow.train.TrainingData;

/**
 * What the figures of a GRU on Memory-Pro have in common: the task, and the sizes of network and
 * batches.
 *
 * @param units H
 * @param batch trials per training step
 * @param set trials that are drawn once for training, 0 for new ones at every step
 * @param noiseVariance of the Gaussian numbers added to inputs in training
 * @param conditions angles of the trials that are analysed
 */
record MemoryProSetup(long units, long batch, long set, double noiseVariance, int conditions) {
  static final int STIMULUS = 30;
  static final int MEMORY = 30;
  static final int RESPONSE = 30;
  static final int STEPS = STIMULUS + MEMORY + RESPONSE;
  static final int CHANNELS = 3;
  static final List<Phase> PHASES =
      List.of(
          new Phase("stimulus", 0),
          new Phase("memory", STIMULUS),
          new Phase("response", STIMULUS + MEMORY));
  private static final List<String> CHANNEL_NAMES = List.of("fixation", "cos α", "sin α");

  /** The paper's (A.2.1). */
  static final MemoryProSetup FULL = new MemoryProSetup(256, 500, 5000, 3.2, 20);

  static final MemoryProSetup QUICK = new MemoryProSetup(64, 64, 0, 0.02, 20);

  MemoryPro task() {
    return new MemoryPro(STIMULUS, MEMORY, RESPONSE, conditions);
  }

  /** Notes the sizes as settings of a run. */
  void note(ExperimentRun run) {
    run.setting("units", units);
    run.setting("batch", batch);
    run.setting("training_trials", set == 0 ? "new ones at every step" : String.valueOf(set));
    run.setting("input_noise_variance", noiseVariance);
    run.setting("analysed_trials", conditions);
  }

  /** How batches are made; trainings of one run see the same ones. */
  TrainingData.Draw draw(ExperimentRun run) {
    return new TrainingData.Draw(
        batch, Math.sqrt(noiseVariance), LossSteps.all(), run.rng("trials"));
  }

  /** One channel of values [B, T, channels]: [B][T]. */
  static double[][] lines(double[] values, int channels, int channel) {
    double[][] lines = new double[values.length / (STEPS * channels)][STEPS];
    for (int i = 0; i < lines.length * STEPS; i++) {
      lines[i / STEPS][i % STEPS] = values[i * channels + channel];
    }
    return lines;
  }

  /** The task's channels over the steps, a line per trial: values [B, T, 3]. */
  static LinesPanel panel(String title, String yTitle, double[] values, double low, double high) {
    List<Bundle> bundles = new ArrayList<>();
    for (int i = 0; i < CHANNELS; i++) {
      bundles.add(Bundle.overSteps(CHANNEL_NAMES.get(i), lines(values, CHANNELS, i)));
    }
    return new LinesPanel(title, "time step", yTitle, bundles, PHASES, new double[] {low, high});
  }

  /** Three numbers, of which each belongs to a channel. */
  static String threeNumbers(double[] values) {
    return String.format(Locale.ROOT, "%.2g, %.2g, %.2g", values[0], values[1], values[2]);
  }
}
