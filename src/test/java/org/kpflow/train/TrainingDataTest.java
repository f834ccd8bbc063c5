package org.kpflow.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Task;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Batches are functions of seed and step, and visit a data set fairly. */
class TrainingDataTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final MemoryPro TASK = new MemoryPro(3, 2, 3, 4);

  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveCount());
  }

  private static TrainingData.Draw draw(long batch, double noise) {
    return new TrainingData.Draw(batch, noise, LossSteps.all(), RngState.of(7));
  }

  private static double[] inputs(Batches batches, long step) {
    try (Trials trials = batches.at(step)) {
      return trials.inputs().toDoubles();
    }
  }

  @Test
  void freshTrialsDependOnSeedAndStepAlone() {
    try (TrainingData one = TrainingData.fresh(CONTEXT, TASK, draw(5, 0.3), DType.F64);
        TrainingData two = TrainingData.fresh(CONTEXT, TASK, draw(5, 0.3), DType.F64);
        ExecutionContext single = ExecutionContext.withThreads(1);
        TrainingData three = TrainingData.fresh(single, TASK, draw(5, 0.3), DType.F64)) {
      double[] ninth = inputs(one.batches(), 9);
      inputs(two.batches(), 2);
      assertArrayEquals(ninth, inputs(two.batches(), 9));
      assertArrayEquals(ninth, inputs(three.batches(), 9));
      assertFalse(Arrays.equals(ninth, inputs(one.batches(), 10)));
    }
  }

  @Test
  void noiseIsAddedToTheInputsOfAStepAlone() {
    double sigma = 0.25;
    try (TrainingData clean = TrainingData.fresh(CONTEXT, TASK, draw(2000, 0), DType.F64);
        TrainingData noisy = TrainingData.fresh(CONTEXT, TASK, draw(2000, sigma), DType.F64);
        Trials without = clean.batches().at(3);
        Trials with = noisy.batches().at(3)) {
      assertArrayEquals(without.targets().toDoubles(), with.targets().toDoubles());
      double[] x = without.inputs().toDoubles();
      double[] y = with.inputs().toDoubles();
      double[] noise = IntStream.range(0, x.length).mapToDouble(i -> y[i] - x[i]).toArray();
      double mean = Arrays.stream(noise).average().orElseThrow();
      double square = Arrays.stream(noise).map(e -> e * e).average().orElseThrow();
      double error = 5 / Math.sqrt(noise.length); // five standard errors
      assertEquals(0, mean, sigma * error);
      assertEquals(sigma * sigma, square, sigma * sigma * Math.sqrt(2) * error);
      assertArrayEquals(
          clean.evaluation().inputs().toDoubles(), noisy.evaluation().inputs().toDoubles());
    }
  }

  /** Trials whose only input is their number. */
  private static Trials numbered(int count) {
    double[] numbers = IntStream.range(0, count).asDoubleStream().toArray();
    return new Trials(
        Tensor.of(Shape.of(count, 1, 1), numbers), Tensor.of(Shape.of(count, 1, 1), numbers), null);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4, 5, 10})
  void everyEpochVisitsEveryTrialOnceInAnOrderOfItsOwn(int batch) {
    int count = 10;
    int epochs = 3;
    try (Trials given = numbered(count);
        TrainingData data = TrainingData.of(CONTEXT, given, draw(batch, 0), DType.F64)) {
      double[] visited =
          IntStream.rangeClosed(1, 10 * epochs)
              .boxed()
              .flatMapToDouble(step -> Arrays.stream(inputs(data.batches(), step)))
              .toArray();
      double[] first = null;
      for (int epoch = 0; epoch < epochs; epoch++) {
        double[] order = Arrays.copyOfRange(visited, epoch * count, (epoch + 1) * count);
        assertFalse(Arrays.equals(first, order), "the same order again");
        first = order.clone();
        Arrays.sort(order);
        assertArrayEquals(given.inputs().toDoubles(), order);
      }
      assertArrayEquals(Arrays.copyOf(visited, batch), inputs(data.batches(), 1), "going back");
      assertArrayEquals(given.inputs().toDoubles(), data.evaluation().inputs().toDoubles());
    }
  }

  /** Every trial is zero; remembers the stream it was asked to draw from. */
  private static final class Blank implements Task {
    RngState stream;

    @Override
    public String name() {
      return "blank";
    }

    @Override
    public long inputs() {
      return 1;
    }

    @Override
    public long outputs() {
      return 1;
    }

    @Override
    public long steps() {
      return 1;
    }

    @Override
    public Trials draw(ExecutionContext context, long trials, RngState rng) {
      stream = rng;
      return evaluation(context);
    }

    @Override
    public Trials evaluation(ExecutionContext context) {
      return new Trials(Tensor.zeros(DType.F64, 20, 1, 1), Tensor.zeros(DType.F64, 20, 1, 1), null);
    }
  }

  private static double[] drawn(RngState stream, RngState.Distribution distribution) {
    try (Tensor numbers = Tensor.zeros(DType.F64, 20)) {
      stream.fill(CONTEXT, distribution, numbers);
      return numbers.toDoubles();
    }
  }

  private static double[] sortingOrder(double[] keys) {
    return IntStream.range(0, keys.length)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> keys[i]))
        .mapToDouble(i -> i)
        .toArray();
  }

  /** Which label of the seed each of them is drawn from; the weights of train have label 3. */
  @Test
  void trialsOrderAndNoiseComeFromDifferentNumbers() {
    RngState seed = draw(20, 1).seed();
    Blank task = new Blank();
    double[] noise;
    double[] order;
    try (TrainingData noisy = TrainingData.fresh(CONTEXT, task, draw(20, 1), DType.F64);
        Trials given = numbered(20);
        TrainingData epochs = TrainingData.of(CONTEXT, given, draw(20, 0), DType.F64)) {
      noise = inputs(noisy.batches(), 5);
      order = inputs(epochs.batches(), 1);
    }
    List<String> uses = new ArrayList<>();
    for (int label = 0; label < 4; label++) {
      RngState stream = seed.split(label);
      if (stream.split(5).equals(task.stream)) {
        uses.add("trials");
      }
      if (Arrays.equals(noise, drawn(stream.split(5), RngState.Distribution.GAUSSIAN))) {
        uses.add("noise");
      }
      double[] keys = drawn(stream.split(0), RngState.Distribution.UNIFORM);
      if (Arrays.equals(order, sortingOrder(keys))) {
        uses.add("order");
      }
      uses.add("|");
    }
    assertEquals(List.of("trials", "|", "order", "|", "noise", "|", "|"), uses);
  }

  @Test
  void aDrawnSetIsDrawnOnce() {
    try (TrainingData data = TrainingData.set(CONTEXT, TASK, 6, draw(6, 0), DType.F64)) {
      double[] first = inputs(data.batches(), 1);
      double[] second = inputs(data.batches(), 2);
      Arrays.sort(first);
      Arrays.sort(second);
      assertArrayEquals(first, second);
    }
  }

  @Test
  void theLossCountsTheStepsThatTaskAndOptionCount() {
    Shape shape = Shape.of(2, 3, 1);
    try (Trials given =
            new Trials(
                Tensor.zeros(DType.F64, shape),
                Tensor.zeros(DType.F64, shape),
                Tensor.of(Shape.of(2, 3), 1, 1, 0, 0, 1, 1));
        Trials counted = LossSteps.parse("0:1, 2").of(given);
        Trials all = LossSteps.all().of(given)) {
      assertArrayEquals(new double[] {1, 0, 0, 0, 0, 1}, counted.mask().toDoubles());
      assertArrayEquals(given.mask().toDoubles(), all.mask().toDoubles());
      assertThrows(InputException.class, () -> LossSteps.parse("2:4").of(given));
    }
    try (Trials given = numbered(2);
        Trials all = LossSteps.all().of(given)) {
      assertNull(all.mask());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "a", "3:3", "5:2", "-1:2", "1:", ":4", "1,,2"})
  void lossStepsThatAreNoneAreRefused(String text) {
    InputException refused = assertThrows(InputException.class, () -> LossSteps.parse(text));
    assertTrue(refused.getMessage().contains("'" + text + "'"), refused.getMessage());
  }

  @Test
  void aBatchIsNoLargerThanItsSet() {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> TrainingData.set(CONTEXT, TASK, 6, draw(7, 0), DType.F64));
    assertEquals("batch: expected 1 to 6, got 7", refused.getMessage());
  }
}
