package org.kpflow.flow;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.StateBlock;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * R: [B, T, n] -> [B, T', n'], the restriction of a state to a {@link StateSelection}, and what the
 * operators of the linearization become on it (docs/theory.md, section 1). R h is the state of a
 * model whose other variables are eliminated; its P is R P R*, its J is R J and its NTK R NTK R*.
 * Its K is not a part of ours, so there is none here.
 */
public final class StateRestriction extends LinearOperator {
  /** first, first + every, …, count of them. */
  private record Run(long first, long count, long every) {
    @Override
    public String toString() {
      long end = first + (count - 1) * every + 1;
      return count == 1 ? "" + first : first + ":" + end + (every == 1 ? "" : ":" + every);
    }
  }

  private static final long SCRATCH_BYTES = 128L << 20;

  private final Linearization linearization;
  private final int[] units;
  private final int[] steps;
  private final List<Run> unitRuns;
  private final List<Run> stepRuns;

  /** Of units and steps in ascending order, at least one of each. */
  StateRestriction(Linearization linearization, int[] units, int[] steps) {
    super(
        linearization.context(),
        linearization.stateShape(),
        Shape.state(linearization.trials(), steps.length, units.length),
        linearization.dtype(),
        false);
    this.linearization = linearization;
    this.units = units;
    this.steps = steps;
    this.unitRuns = runs(units);
    this.stepRuns = runs(steps);
  }

  /** The identity: nothing is left out. */
  public static StateRestriction whole(Linearization linearization) {
    return StateSelection.all().of(linearization);
  }

  /** How many states to hold as scratch for a block of s vectors: at least one. */
  static long statesAtOnce(Linearization linearization, long s) {
    long bytes = linearization.stateShape().count() * linearization.dtype().bytes();
    return Math.max(1, Math.min(s, SCRATCH_BYTES / bytes));
  }

  /** What the state belongs to. */
  public Linearization linearization() {
    return linearization;
  }

  /** Whether R is the identity. */
  public boolean isWhole() {
    return range().equals(domain());
  }

  /** The steps kept, ascending. */
  public int[] steps() {
    return steps.clone();
  }

  /** The units kept, ascending. */
  public int[] units() {
    return units.clone();
  }

  /** k' = B T'. */
  public long rows() {
    return range().size(0) * range().size(1);
  }

  /** What is kept of the blocks, with the place that it has in R h; blocks left out are missing. */
  public List<StateBlock> blocks() {
    List<StateBlock> kept = new ArrayList<>();
    long begin = 0;
    for (StateBlock block : linearization.blocks()) {
      long end = block.begin() + block.units();
      long count = Arrays.stream(units).filter(u -> u >= block.begin() && u < end).count();
      if (count > 0) {
        kept.add(new StateBlock(block.name(), begin, count));
      }
      begin += count;
    }
    return kept;
  }

  /** Where a block of the state lies in R h, or null if not all of its units are kept. */
  public StateBlock place(StateBlock block) {
    int first = Arrays.binarySearch(units, (int) block.begin());
    long last = first + block.units() - 1;
    boolean kept =
        first >= 0 && last < units.length && units[(int) last] == block.begin() + last - first;
    return kept ? new StateBlock(block.name(), first, block.units()) : null;
  }

  /** R NTK R* = (R J)(R J)*, the NTK itself where R is whole. */
  public LinearOperator tangentKernel() {
    return bothSides(new NeuralTangentKernel(linearization));
  }

  /**
   * R P R*, P of the model in which the variables that are left out are eliminated: with D = D_h F
   * in blocks, R D^{-1} R* is the inverse of the Schur complement of the block that is left out.
   */
  public LinearOperator propagation() {
    return bothSides(new PropagationOperator(linearization));
  }

  /** R P: what is seen here of a perturbation anywhere. */
  public LinearOperator response() {
    return of(new PropagationOperator(linearization));
  }

  /** R J, [p] to [B, T', n']. */
  public LinearOperator jacobian() {
    return of(new ParameterJacobian(linearization));
  }

  /** R J with weights of its own for every trial, [B, p] to [B, T', n']. */
  public LinearOperator trialJacobian() {
    return of(new TrialJacobian(linearization));
  }

  /** R h [B, T', n'], as a new tensor. */
  public Tensor state() {
    try (Tensor state = linearization.state()) {
      return matvec(state);
    }
  }

  private LinearOperator of(LinearOperator toState) {
    return isWhole() ? toState : compose(toState);
  }

  private LinearOperator bothSides(LinearOperator onState) {
    return isWhole() ? onState : compose(onState).compose(adjoint());
  }

  /** The rows of the kept steps of a matrix [k, m], as a new tensor [k', m]. */
  public Tensor keptRows(Tensor matrix) {
    Checks.that(
        Checks.notNull(matrix, "matrix").shape().rank() == 2
            && matrix.shape().size(0) == linearization.rows(),
        "matrix: expected shape [%d, m], got %s",
        linearization.rows(),
        matrix.shape());
    long columns = matrix.shape().size(1);
    Tensor kept = Tensor.zeros(matrix.device(), matrix.dtype(), Shape.of(rows(), columns));
    copy(matrix, kept, 1, columns, List.of(new Run(0, columns, 1)), true);
    return kept;
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    copy(in, out, in.shape().size(0), domain().size(2), unitRuns, true);
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    if (!isWhole()) {
      TensorMath.fill(new long[] {out.count()}, 0, out, new long[] {1});
    }
    copy(out, in, in.shape().size(0), domain().size(2), unitRuns, false);
  }

  /**
   * Between states [s, B, T, width] and their kept parts [s, B, T', width'], one strided copy for
   * every run of steps and of columns; restrict says in which direction.
   */
  private void copy(
      Tensor whole, Tensor part, long s, long width, List<Run> columns, boolean restrict) {
    long kept = columns.stream().mapToLong(Run::count).sum();
    Tensor wholeFlat = whole.reshape(Shape.of(whole.count()));
    Tensor partFlat = part.reshape(Shape.of(part.count()));
    long row = 0;
    for (Run step : stepRuns) {
      long column = 0;
      for (Run unit : columns) {
        long[] sizes = {s * domain().size(0), step.count, unit.count};
        long[] inWhole = {domain().size(1) * width, step.every * width, unit.every};
        long[] inPart = {range().size(1) * kept, kept, 1};
        long first = step.first * width + unit.first;
        Tensor x = wholeFlat.slice(first, whole.count() - first);
        Tensor y = partFlat.slice(row * kept + column, part.count() - row * kept - column);
        if (restrict) {
          TensorMath.strided(sizes, 1, x, inWhole, 0, y, inPart);
        } else {
          TensorMath.strided(sizes, 1, y, inPart, 0, x, inWhole);
        }
        column += unit.count;
      }
      row += step.count;
    }
  }

  /** Numbers in ascending order as few arithmetic progressions. */
  private static List<Run> runs(int[] numbers) {
    List<Run> runs = new ArrayList<>();
    for (int first = 0, end; first < numbers.length; first = end) {
      int every = first + 1 < numbers.length ? numbers[first + 1] - numbers[first] : 1;
      end = first + 1;
      while (end < numbers.length && numbers[end] - numbers[end - 1] == every) {
        end++;
      }
      runs.add(new Run(numbers[first], end - first, every));
    }
    return runs;
  }

  /** The units kept as ranges, such as {@code 0:4,6} or {@code 0:8:2}. */
  public String unitRanges() {
    return unitRuns.stream().map(Run::toString).collect(Collectors.joining(","));
  }

  @Override
  public String toString() {
    return "R";
  }
}
