package org.kpflow.analysis;

import java.util.Arrays;
import java.util.List;
import org.kpflow.flow.StateRestriction;
import org.kpflow.model.StateBlock;

/**
 * Which part of the state was analysed.
 *
 * @param whole whether nothing is left out
 * @param blocks what is kept of the state's blocks, each with its first unit in what is analysed
 * @param units the units kept, as ranges of those of the state
 * @param unitsOfState n of the state
 * @param steps the steps kept
 * @param stepsOfState T of the state
 * @param stepsPerInput steps of the state per step of the inputs
 */
public record SelectionReport(
    boolean whole,
    List<StateBlock> blocks,
    String units,
    long unitsOfState,
    int[] steps,
    long stepsOfState,
    long stepsPerInput) {
  private static final int NAMED = 4; // blocks of so many are all named
  private static final int NAMED_FIRST = 2; // of more

  static SelectionReport of(StateRestriction selected) {
    return new SelectionReport(
        selected.isWhole(),
        selected.blocks(),
        selected.unitRanges(),
        selected.domain().size(2),
        selected.steps(),
        selected.domain().size(1),
        selected.linearization().stepsPerInput());
  }

  /** The step of the inputs that each of the steps kept belongs to. */
  int[] inputSteps() {
    return Arrays.stream(steps).map(step -> (int) (step / stepsPerInput)).toArray();
  }

  /** In words: h (4 of 8 units) at 3 of 6 steps, all 8 units at 3 of 6 steps. */
  @Override
  public String toString() {
    long kept = blocks.stream().mapToLong(StateBlock::units).sum();
    return (kept == unitsOfState
            ? "all " + kept + " units"
            : names() + " (" + kept + " of " + unitsOfState + " units)")
        + " at "
        + (steps.length == stepsOfState
            ? (steps.length == 1 ? "the only step" : "all " + steps.length + " steps")
            : steps.length + " of " + stepsOfState + " steps");
  }

  /** The names of the blocks: all of a few, else the first. */
  private String names() {
    List<String> names = blocks.stream().map(StateBlock::name).toList();
    int left = names.size() - NAMED_FIRST;
    return names.size() <= NAMED
        ? String.join(", ", names)
        : String.join(", ", names.subList(0, NAMED_FIRST)) + " and " + left + " more";
  }

  /** What a summary says of a part of the state, and nothing of the whole. */
  String sentence() {
    return whole ? "" : " A part of the state: " + this + ".";
  }
}
