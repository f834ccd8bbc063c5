package org.kpflow.operator;

/** Which axes of a larger space an operator is put on. */
public enum AxisSide {
  /** The first axes: A ⊗ I. */
  LEADING,
  /** The last axes: I ⊗ A. */
  TRAILING
}
