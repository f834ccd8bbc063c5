package org.kpflow.model;

/**
 * A named part of the state: its units begin to begin + units - 1 at every trial and step.
 *
 * @param name such as {@code h_l0}, {@code Q} or {@code H_2}
 */
public record StateBlock(String name, long begin, long units) {}
