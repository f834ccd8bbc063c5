package org.kpflow.spectral;

import org.kpflow.base.NumericalException;

/** An iteration ended before everything asked for had converged; it carries what did. */
public final class NoConvergenceException extends NumericalException {
  private final transient EigenPairs partial;

  NoConvergenceException(String message, EigenPairs partial) {
    super(message);
    this.partial = partial;
  }

  /** The pairs that did converge; the caller closes them. */
  public EigenPairs partial() {
    return partial;
  }
}
