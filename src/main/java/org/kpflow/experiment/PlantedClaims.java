package org.kpflow.experiment;

import java.util.Locale;
import java.util.stream.Stream;
import org.kpflow.experiment.Statement.Relation;

/** What is claimed of planted points of one amplitude. */
record PlantedClaims(
    double amplitude, Statement bistable, Statement four, Statement fixed, Statement ontoAxes) {
  static PlantedClaims of(double amplitude) {
    String with = String.format(Locale.ROOT, " (κ = %.0f)", amplitude);
    String suffix = String.format(Locale.ROOT, "_kappa_%.0f", amplitude);
    return new PlantedClaims(
        amplitude,
        new Statement(
            "one_bistable" + suffix,
            "With one planted point, the system is effectively bistable under all gains shown"
                + with
                + ".",
            PlantedPointsFigure.SOURCE,
            "gains at which the mean states of the last half do not form two clusters",
            Relation.EQUAL,
            0),
        new Statement(
            "two_four" + suffix,
            "With two planted points, trajectories end at four distinct places under all gains"
                + " shown"
                + with
                + ".",
            PlantedPointsFigure.SOURCE,
            "gains at which the mean states of the last half do not form four clusters",
            Relation.EQUAL,
            0),
        new Statement(
            "two_fixed" + suffix,
            "With two planted points, the dynamics collapse to fixed points" + with + ".",
            PlantedPointsFigure.SOURCE,
            "share of initial conditions that converge, the least over gains",
            Relation.AT_LEAST,
            0.95),
        new Statement(
            "two_are_the_planted" + suffix,
            "The four places are the planted points and their negatives, since tanh is odd"
                + with
                + ".",
            PlantedPointsFigure.SOURCE,
            "share of mean states of the last half that are closer to ±κ e_1 or ±κ e_2 than to"
                + " (±κ, ±κ), the least over gains",
            Relation.AT_LEAST,
            0.95));
  }

  Stream<Statement> statements() {
    return Stream.of(bistable, four, fixed, ontoAxes);
  }

  /** "kappa_10". */
  String key() {
    return String.format(Locale.ROOT, "kappa_%.0f", amplitude);
  }
}
