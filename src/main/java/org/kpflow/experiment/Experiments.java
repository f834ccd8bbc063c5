package org.kpflow.experiment;

import java.util.List;
import org.kpflow.base.InputException;

/** The experiments there are. */
public final class Experiments {
  private Experiments() {}

  /** All of them, in the paper's order. */
  public static List<Experiment> all() {
    return List.of(
        new CoreFigure(),
        new PlateauFigure(),
        new StudentTeacherFigure(),
        new AttentionFigure(),
        new ReductionsFigure(),
        new PlantedPointsFigure(),
        new WidthFigure(),
        new HeadsFigure(),
        new ObjectivesFigure());
  }

  /**
   * The experiment of a name.
   *
   * @throws InputException naming those there are
   */
  public static Experiment of(String name) {
    return all().stream()
        .filter(experiment -> experiment.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new InputException(
                    "figure: expected one of "
                        + all().stream().map(Experiment::name).toList()
                        + " or all, got '"
                        + name
                        + "'"));
  }
}
