package org.kpflow.flow;

import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.regex.Pattern;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Model;
import org.kpflow.model.StateBlock;

/**
 * Which part of a state [B, T, n] is analysed: some units and some steps of every trial, all unless
 * told otherwise. It is a description that goes with any model; {@link #of} applies it to one. What
 * is named twice counts once, and the order is that of the state.
 *
 * @param units names of blocks of the state ({@code h}, {@code h_l1}, {@code Q}) and ranges of
 *     units; none for all
 * @param steps ranges of steps; none for all
 */
public record StateSelection(List<String> units, List<String> steps) {
  private static final StateSelection ALL = new StateSelection(List.of(), List.of());
  private static final Pattern RANGE =
      Pattern.compile("(-?\\d{1,9})?(:(-?\\d{1,9})?(:(\\d{1,9})?)?)?");

  /**
   * Copies the lists.
   *
   * @throws InputException for an empty entry, or a step that is no range
   */
  public StateSelection {
    units = List.copyOf(Checks.notNull(units, "units"));
    steps = List.copyOf(Checks.notNull(steps, "steps"));
    for (String part : units) {
      if (part.isBlank()) {
        throw new InputException("state: expected a block's name or units such as 0:10, got ''");
      }
    }
    for (String part : steps) {
      if (!isRange(part)) {
        throw new InputException(
            "steps: expected steps such as 5, 0:30 or ::4, got '" + part + "'");
      }
    }
  }

  /** The whole state. */
  public static StateSelection all() {
    return ALL;
  }

  /**
   * What a model is analysed on unless told otherwise: all of its state, or the output block after
   * each input where the model takes several steps of the state per input ({@link
   * Model#stepsPerInput()}).
   */
  public static StateSelection whole(Model model) {
    long stages = Checks.notNull(model, "model").stepsPerInput();
    return stages == 1
        ? ALL
        : new StateSelection(
            List.of(model.outputBlock().name()), List.of(stages - 1 + "::" + stages));
  }

  /**
   * A selection from text: lists with commas. A range is as in Python: {@code 5} is one, {@code
   * 0:30} are 0 to 29, {@code ::4} is every fourth, {@code -1} the last.
   *
   * @param units blocks and ranges of units such as {@code h_l1,Q} or {@code 0:64}; null or {@code
   *     all} for all
   * @param steps ranges of steps such as {@code 0:30,60:90} or {@code 3::4}; null or {@code all}
   *     for all
   * @throws InputException for text that is neither; names and bounds are checked by {@link #of}
   */
  public static StateSelection parse(String units, String steps) {
    return new StateSelection(parts(units), parts(steps));
  }

  private static List<String> parts(String text) {
    return text == null || text.equals("all")
        ? List.of()
        : Arrays.stream(text.split(",", -1)).map(String::strip).toList();
  }

  /** Whether nothing is left out, whatever the model. */
  public boolean isAll() {
    return units.isEmpty() && steps.isEmpty();
  }

  /**
   * R, the restriction of a model's state to this selection.
   *
   * @throws InputException if the model has no block of a name, or not so many units or steps
   */
  public StateRestriction of(Linearization linearization) {
    Checks.notNull(linearization, "linearization");
    List<StateBlock> blocks = linearization.blocks();
    BitSet chosenUnits = new BitSet();
    for (String part : units) {
      StateBlock named =
          blocks.stream().filter(block -> block.name().equals(part)).findFirst().orElse(null);
      if (named != null) {
        chosenUnits.set((int) named.begin(), (int) (named.begin() + named.units()));
      } else if (isRange(part)) {
        add(chosenUnits, "state", "units", part, linearization.units());
      } else {
        throw new InputException(
            "state: expected blocks of "
                + blocks.stream().map(StateBlock::name).toList()
                + " or units such as 0:10, got '"
                + part
                + "'");
      }
    }
    BitSet chosenSteps = new BitSet();
    for (String part : steps) {
      add(chosenSteps, "steps", "steps", part, linearization.steps());
    }
    return new StateRestriction(
        linearization,
        chosen(units, chosenUnits, linearization.units()),
        chosen(steps, chosenSteps, linearization.steps()));
  }

  private static int[] chosen(List<String> parts, BitSet set, long size) {
    if (parts.isEmpty()) {
      set.set(0, (int) size);
    }
    return set.stream().toArray();
  }

  private static boolean isRange(String text) {
    return !text.isEmpty() && RANGE.matcher(text).matches();
  }

  /** Adds the numbers of a range of 0 to size - 1; negative bounds count from the end. */
  private static void add(BitSet set, String name, String what, String text, long size) {
    String[] bounds = text.split(":", -1);
    long begin = bound(bounds[0], 0, size);
    long end = bounds.length == 1 ? begin + 1 : bound(bounds[1], size, size);
    long every = bounds.length == 3 && !bounds[2].isEmpty() ? Long.parseLong(bounds[2]) : 1;
    if (begin < 0 || begin >= end || end > size || every < 1) {
      throw new InputException(
          name + ": expected a part of the " + size + " " + what + ", got '" + text + "'");
    }
    for (long i = begin; i < end; i += every) {
      set.set((int) i);
    }
  }

  private static long bound(String text, long missing, long size) {
    long value = text.isEmpty() ? missing : Long.parseLong(text);
    return value < 0 ? value + size : value;
  }

  @Override
  public String toString() {
    return (units.isEmpty() ? "all units" : String.join(", ", units))
        + ", "
        + (steps.isEmpty() ? "all steps" : "steps " + String.join(", ", steps));
  }
}
