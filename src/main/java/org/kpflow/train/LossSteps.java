package org.kpflow.train;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.task.Trials;
import org.kpflow.tensor.Tensor;

/**
 * Which steps of a trial count towards the loss, of those that the task counts: ranges of steps,
 * none for all.
 */
public final class LossSteps {
  private static final Pattern RANGE = Pattern.compile("(\\d{1,9})(?::(\\d{1,9}))?");

  private record Range(long begin, long end) {}

  private final List<Range> ranges = new ArrayList<>();

  /** All that the task counts. */
  public static LossSteps all() {
    return new LossSteps();
  }

  /**
   * From text such as {@code 60:90} (steps 60 to 89) or {@code 0:30,89}.
   *
   * @throws InputException if it is something else, or an empty range
   */
  public static LossSteps parse(String text) {
    LossSteps steps = new LossSteps();
    for (String part : Checks.notNull(text, "text").split(",", -1)) {
      Matcher range = RANGE.matcher(part.strip());
      long begin = range.matches() ? Long.parseLong(range.group(1)) : 0;
      long end = range.matches() ? begin + 1 : 0;
      if (range.matches() && range.group(2) != null) {
        end = Long.parseLong(range.group(2));
      }
      if (begin >= end) {
        throw new InputException(
            "loss steps: expected ranges such as 60:90 or 0:30,89, got '" + text + "'");
      }
      steps.ranges.add(new Range(begin, end));
    }
    return steps;
  }

  /** Whether no step is left out. */
  public boolean isAll() {
    return ranges.isEmpty();
  }

  /**
   * The trials with a mask of the steps that count for both the task and this; copies.
   *
   * @throws InputException if trials end before a range does, or no step is left
   */
  public Trials of(Trials trials) {
    if (isAll()) {
      return trials.slice(0, trials.count());
    }
    int steps = (int) trials.inputs().shape().size(1);
    double[] counts = new double[steps];
    for (Range range : ranges) {
      if (range.end() > steps) {
        throw new InputException(
            "loss steps: expected steps below " + steps + ", got " + (range.end() - 1));
      }
      for (long t = range.begin(); t < range.end(); t++) {
        counts[(int) t] = 1;
      }
    }
    Trials picked =
        new Trials(
            trials.inputs().copy(),
            trials.targets().copy(),
            Tensor.zeros(trials.inputs().dtype(), trials.count(), steps));
    double[] task = trials.mask() == null ? null : trials.mask().toDoubles();
    double[] mask = new double[Math.toIntExact(picked.mask().count())];
    double sum = 0;
    for (int i = 0; i < mask.length; i++) {
      mask[i] = counts[i % steps] * (task == null ? 1 : task[i]);
      sum += mask[i];
    }
    picked.mask().copyFrom(mask);
    if (sum == 0) {
      picked.close();
      throw new InputException("loss steps: expected a step that the task counts, got none");
    }
    return picked;
  }
}
