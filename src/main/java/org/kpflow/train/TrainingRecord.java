package org.kpflow.train;

import java.util.Map;

/**
 * What training.json says.
 *
 * @param status running, finished (all steps are taken), below (the loss came below --stop-below),
 *     stopped (by the user) or not finite
 * @param parameters scalars that are trained, by name of their array
 * @param step steps taken
 * @param loss on the trials of the last step, before it; NaN before the first
 * @param evaluation the last evaluation's loss
 * @param evaluationStep the step after which it was
 * @param checkpoint the file of the last checkpoint
 * @param stepsHere steps that the last process took
 * @param seconds that it took for them, with all that it wrote
 */
public record TrainingRecord(
    String status,
    Map<String, ?> facts,
    Map<String, String> options,
    TrainingPlan plan,
    Map<String, Long> parameters,
    long step,
    double loss,
    double evaluation,
    long evaluationStep,
    String checkpoint,
    long stepsHere,
    double seconds) {}
