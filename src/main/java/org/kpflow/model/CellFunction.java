package org.kpflow.model;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A recurrent cell in gate form, written in Java (docs/models/cells.md): v = ψ(previous) is what
 * W_hh reads, q = W_hh v + b_hh and p = W_ih x + b_ih are its gate blocks, and unit i's next state
 * is φ of that unit's own gates and previous state. {@link #step} is all that has to be written;
 * the derivatives come from dual numbers. It is called in the forward pass only, by one thread, for
 * every trial, step and unit; everything that is computed from it runs natively.
 *
 * <p>Steps count from 0, over the steps of the state ({@link #stages} per step of the input). Of
 * several layers each has this cell.
 */
public interface CellFunction {
  /** g, the gate blocks of H rows each in W_hh and W_ih, 1 to 32. */
  int gates();

  /** m, the state entries of a unit, 1 to 32. Number 0 is h, which the layer above reads. */
  default int components() {
    return 1;
  }

  /**
   * The names of the entries, as blocks of the state: h, s1, s2 and so on. Letters, digits and _, a
   * letter first, and not {@code all}.
   */
  default List<String> componentNames() {
    return IntStream.range(0, components()).mapToObj(c -> c == 0 ? "h" : "s" + c).toList();
  }

  /** Steps for which every input is held. */
  default int stages() {
    return 1;
  }

  /**
   * ψ: what W_hh reads of a unit.
   *
   * @param previous [m]
   */
  default Dual site(Dual[] previous, long step, int unit) {
    return previous[0];
  }

  /**
   * φ: the next state [m] of a unit.
   *
   * @param q [g], of W_hh v + b_hh
   * @param p [g], of W_ih x + b_ih
   * @param previous [m]
   */
  Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit);

  /**
   * ψ for a batch: fills {@link CellBatch#site} and {@link CellBatch#siteByState}. To be overridden
   * for speed, with derivatives written by hand.
   */
  default void siteBatch(CellBatch batch) {
    batch.evaluateSite(this);
  }

  /**
   * φ for a batch: fills {@link CellBatch#next}, {@link CellBatch#nextByHidden}, {@link
   * CellBatch#nextByInput} and {@link CellBatch#nextByState}. To be overridden like {@link
   * #siteBatch}.
   */
  default void stepBatch(CellBatch batch) {
    batch.evaluateStep(this);
  }
}
