package org.kpflow.train;

import java.util.Map;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;

/**
 * What is trained, how and on what. Owns nothing.
 *
 * @param network with the weights to start from, unless the training goes on
 * @param rules learning rate, clipping and decay
 * @param evaluation the trials on which it is judged, in the network's type and with the steps that
 *     count
 * @param model what model.json says
 * @param options by name, as a user gave them: a training goes on under the same ones alone
 * @param facts what else training.json says, by name
 */
public record TrainingSetup(
    ExecutionContext context,
    Network network,
    Optimizer optimizer,
    Batches batches,
    TrainingOptions rules,
    Trials evaluation,
    Map<String, ?> model,
    Map<String, String> options,
    Map<String, ?> facts) {}
