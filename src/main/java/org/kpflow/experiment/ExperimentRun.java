package org.kpflow.experiment;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.kpflow.base.CancelledException;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.base.InputException;
import org.kpflow.base.Progress;
import org.kpflow.report.Figure;
import org.kpflow.report.JsonWriter;
import org.kpflow.report.Picture;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * One run of an experiment in a folder of its own. Finished points are files there, so that a run
 * that was killed goes on where it was and ends with the same numbers.
 */
public final class ExperimentRun {
  private static final String SECONDS = "_seconds"; // what a point took, in its file

  private final Experiment experiment;
  private final RunOptions options;
  private final Path folder;
  private final ExecutionContext context;
  private final Progress progress;
  private final Map<String, Object> settings = new LinkedHashMap<>();
  private final Map<String, Claim> claims = new LinkedHashMap<>();
  private final Map<String, Figure> pictures = new LinkedHashMap<>();
  private final Point data = new Point();
  private final Set<String> keys = new HashSet<>();
  private boolean opened; // the folder of points
  private long planned; // points there will be
  private boolean inPart; // which is shown in place of the points
  private int computed;
  private double earlierSeconds;

  ExperimentRun(
      Experiment experiment,
      RunOptions options,
      Path folder,
      ExecutionContext context,
      Progress progress) {
    this.experiment = experiment;
    this.options = options;
    this.folder = folder;
    this.context = context;
    this.progress = progress;
  }

  /** Whether the smaller setting is wanted. */
  public boolean quick() {
    return options.quick();
  }

  /** One of two values: the first for the smaller setting. */
  public <T> T choose(T quick, T full) {
    return quick() ? quick : full;
  }

  public ExecutionContext context() {
    return context;
  }

  /** The random stream of this experiment and seed. */
  public RngState rng() {
    return RngState.of(options.seed()).split(experiment.name().hashCode());
  }

  /** A stream of its own for a part of the experiment, whatever was drawn before. */
  public RngState rng(String label) {
    return rng().split(label.hashCode());
  }

  /** Where the results go. */
  public Path folder() {
    return folder;
  }

  /** A folder for what a long computation keeps, such as checkpoints; it lasts over restarts. */
  public Path folder(String key) {
    Path inside = points().resolve(checked(key));
    create(inside);
    return inside;
  }

  /**
   * Notes a setting: sizes, ranges, steps. All settings come before the first point, because points
   * of other settings are not taken up again.
   *
   * @param value a number, a text, or a list or array of such
   */
  public void setting(String name, Object value) {
    Checks.that(!opened, "setting '%s': expected it before the first point", name);
    Checks.that(settings.put(name, value) == null, "setting '%s': expected it once", name);
  }

  /** Tells how many points there will be. */
  public void points(long count) {
    planned = count;
    showPoints();
  }

  private void showPoints() {
    progress.stage(experiment.name(), planned, keys.size());
    inPart = false;
  }

  /**
   * What takes long before a point can be computed, such as a training, begins or goes on; its
   * steps are shown until the next point.
   *
   * @param name what it is
   * @param steps how many there are
   * @param before how many of them are done
   */
  void part(String name, long steps, long before) {
    progress.stage(experiment.name() + ", " + name, steps, before);
    inPart = true;
  }

  /** Steps of the part that are done. */
  void partDone(long count) {
    progress.done(count);
  }

  /**
   * A point of the sweep: computed by the body, or read back if it was finished before.
   *
   * @param key its name, unique in the run: letters, digits, dots, _ and -
   * @throws InputException if the folder holds points of other settings
   * @throws CancelledException if the thread was interrupted
   */
  public Point point(String key, Supplier<Point> body) {
    Path file = points().resolve(checked(key) + ".npz");
    Checks.that(keys.add(key), "key: expected a new one, got '%s' again", key);
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException("cancelled: the thread was interrupted");
    }
    if (inPart) {
      showPoints();
    }
    Point point;
    if (Files.exists(file)) {
      point = Point.read(file);
      earlierSeconds += point.number(SECONDS);
    } else {
      long start = System.nanoTime();
      point = body.get();
      point.put(SECONDS, (System.nanoTime() - start) * 1e-9);
      point.write(file);
      computed++;
    }
    progress.done(keys.size());
    return point;
  }

  /** Adds a copy of a tensor to data.npz. */
  public void array(String name, Tensor tensor) {
    data.put(name, tensor);
  }

  /** Adds a vector to data.npz. */
  public void array(String name, double... values) {
    data.put(name, values);
  }

  /** Adds a matrix to data.npz. */
  public void array(String name, double[][] rows) {
    data.put(name, rows);
  }

  /**
   * Writes a picture as PNG and SVG.
   *
   * @param name of the files
   * @param caption what it shows, in plain words
   */
  public void picture(String name, String caption, Picture picture) {
    Checks.that(!pictures.containsKey(name), "picture: expected a new name, got '%s' again", name);
    try {
      picture.write(folder.resolve(checked(name)));
    } catch (IOException failure) {
      throw new InputException(folder + ": cannot be written, " + failure.getMessage(), failure);
    }
    pictures.put(name, new Figure(picture, caption));
  }

  /** Judges a statement by a number. */
  public Claim claim(Statement statement, Estimate measured, String remark) {
    return claim(statement, () -> measured, remark);
  }

  /** Judges a statement by a number without error. */
  public Claim claim(Statement statement, double measured, String remark) {
    return claim(statement, () -> Estimate.exact(measured), remark);
  }

  /**
   * Judges a statement by a number that may not be there: where it cannot be computed, the claim
   * fails with the reason.
   *
   * @param remark what holds instead, or adds to it; may be empty
   * @throws IllegalArgumentException if it is not one of the experiment's, or was judged before
   */
  public Claim claim(Statement statement, Supplier<Estimate> measured, String remark) {
    Checks.that(
        experiment.statements().contains(statement),
        "claim '%s': expected one of those that %s states",
        statement.id(),
        experiment.name());
    Checks.that(!claims.containsKey(statement.id()), "claim '%s': judged twice", statement.id());
    Claim claim;
    try {
      claim = Claim.of(statement, measured.get(), remark);
    } catch (CancelledException cancelled) {
      throw cancelled;
    } catch (RuntimeException failure) {
      claim = Claim.failed(statement, "cannot be evaluated: " + failure.getMessage());
    }
    claims.put(statement.id(), claim);
    return claim;
  }

  /** The claims in the order of the experiment's statements; what was not judged has failed. */
  List<Claim> claims(String reason) {
    List<Claim> all = new ArrayList<>();
    for (Statement statement : experiment.statements()) {
      Claim claim = claims.get(statement.id());
      all.add(claim == null ? Claim.failed(statement, reason) : claim);
    }
    return all;
  }

  Map<String, Object> settings() {
    return Collections.unmodifiableMap(settings);
  }

  Map<String, Figure> pictures() {
    return Collections.unmodifiableMap(pictures);
  }

  Point data() {
    return data;
  }

  /** Points taken or computed. */
  int pointCount() {
    return keys.size();
  }

  /** Points computed in this run. */
  int computedCount() {
    return computed;
  }

  /** What the points took that earlier runs computed. */
  double earlierSeconds() {
    return earlierSeconds;
  }

  /** The folder of points, once it is sure that they are of the same settings. */
  private Path points() {
    Path points = points(folder);
    if (!opened) {
      create(points);
      requireSame(points.resolve("settings.json"));
      opened = true;
    }
    return points;
  }

  /** Where the points of a folder are. */
  static Path points(Path folder) {
    return folder.resolve("points");
  }

  private void requireSame(Path file) {
    Map<String, Object> identity = new LinkedHashMap<>();
    identity.put("figure", experiment.name());
    identity.put("version", experiment.version());
    identity.put("quick", options.quick());
    identity.put("seed", options.seed());
    identity.put("settings", settings);
    try {
      ByteArrayOutputStream wanted = new ByteArrayOutputStream();
      JsonWriter.write(wanted, identity);
      if (!Files.exists(file)) {
        JsonWriter.write(file, identity);
      } else if (!Arrays.equals(wanted.toByteArray(), Files.readAllBytes(file))) {
        throw new InputException(
            file.getParent()
                + ": expected points of "
                + options.command(experiment)
                + " with its present settings, got those of another run ("
                + file.getFileName()
                + " says which); give another --out, or --restart to drop them");
      }
    } catch (IOException failure) {
      throw new InputException(file + ": cannot be used, " + failure.getMessage(), failure);
    }
  }

  private static String checked(String key) {
    Checks.that(
        Checks.notNull(key, "key").matches("[A-Za-z0-9][A-Za-z0-9._-]*"),
        "key: expected letters, digits, dots, _ and -, got '%s'",
        key);
    return key;
  }

  static void create(Path directory) {
    try {
      Files.createDirectories(directory);
    } catch (IOException failure) {
      throw new InputException(directory + ": cannot be made, " + failure.getMessage(), failure);
    }
  }
}
