package org.kpflow.cli;

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
}
