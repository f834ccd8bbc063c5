package org.kpflow.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.InputException;
import org.kpflow.flow.StateSelection;
import org.kpflow.loading.ModelDescription;
import picocli.CommandLine.Option;

/** The options that say which part of the state is analysed. */
final class SelectionOptions {
  @Option(
      names = "--state",
      paramLabel = "BLOCKS",
      description =
          "Blocks of the state to analyse, such as h_l1 or Q,Y, or ranges of units such as 0:64 (default: the model file's, or all).")
  private String state;

  @Option(
      names = "--steps",
      paramLabel = "RANGES",
      description =
          "Steps to analyse, such as 0:30,60:90 or 3::4 (default: the model file's, or all).")
  private String steps;

  /**
   * The part that the options name, or else the description.
   *
   * @throws InputException if a range of steps is none
   */
  StateSelection of(ModelDescription description) {
    StateSelection given = StateSelection.parse(state, steps);
    try {
      return new StateSelection(
          state == null ? description.state() : given.units(),
          steps == null ? description.steps() : given.steps());
    } catch (InputException wrong) {
      throw new InputException(description.source() + ": " + wrong.getMessage(), wrong);
    }
  }

  /** Adds what was given to the facts of a report. */
  void addTo(Map<String, String> facts) {
    if (state != null) {
      facts.put("state", state);
    }
    if (steps != null) {
      facts.put("steps", steps);
    }
  }

  /** The description with what was given in place of its own; an empty list is all. */
  ModelDescription in(ModelDescription description) {
    StateSelection given = StateSelection.parse(state, steps);
    Map<String, List<String>> values = new LinkedHashMap<>();
    if (state != null) {
      values.put("state", given.units());
    }
    if (steps != null) {
      values.put("steps", given.steps());
    }
    return values.isEmpty() ? description : description.with(values);
  }
}
