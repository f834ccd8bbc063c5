package org.kpflow.experiment;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.Npz;
import org.kpflow.io.NpzWriter;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/**
 * Named numbers and arrays in f64: the result of one point of a sweep, or what a figure shows. They
 * are few, so they live on the heap and need no closing.
 */
public final class Point {
  private static final String ERROR = "_error";

  private record Values(Shape shape, double[] values) {}

  private final Map<String, Values> entries = new LinkedHashMap<>();

  /** Adds a number. */
  public Point put(String name, double value) {
    return put(name, Shape.of(), value);
  }

  /** Adds a number with its standard error, under the name and the name with {@value #ERROR}. */
  public Point put(String name, Estimate estimate) {
    return put(name, estimate.value()).put(name + ERROR, estimate.standardError());
  }

  /** Adds a vector. */
  public Point put(String name, double[] values) {
    return put(name, Shape.of(values.length), values);
  }

  /** Adds a matrix of rows of the same length. */
  public Point put(String name, double[][] rows) {
    int width = rows.length == 0 ? 0 : rows[0].length;
    double[] values = new double[rows.length * width];
    for (int i = 0; i < rows.length; i++) {
      Checks.that(
          rows[i].length == width,
          "rows of '%s': expected %d numbers each, got %d",
          name,
          width,
          rows[i].length);
      System.arraycopy(rows[i], 0, values, i * width, width);
    }
    return put(name, Shape.of(rows.length, width), values);
  }

  /** Adds a copy of a tensor, which stays the caller's. */
  public Point put(String name, Tensor tensor) {
    return put(name, tensor.shape(), tensor.toDoubles());
  }

  /**
   * Adds an array.
   *
   * @throws IllegalArgumentException if the name is taken
   */
  public Point put(String name, Shape shape, double... values) {
    Checks.notNull(name, "name");
    Checks.that(
        values.length == shape.count(),
        "values of '%s': expected %d for shape %s, got %d",
        name,
        shape.count(),
        shape,
        values.length);
    Checks.that(!entries.containsKey(name), "name: expected a new one, got '%s' again", name);
    entries.put(name, new Values(shape, values.clone()));
    return this;
  }

  /** Whether there is an entry of this name. */
  public boolean contains(String name) {
    return entries.containsKey(name);
  }

  /** A number. */
  public double number(String name) {
    double[] values = entry(name).values();
    Checks.that(values.length == 1, "'%s': expected one number, got %d", name, values.length);
    return values[0];
  }

  /** A number with its standard error; exact where none was given. */
  public Estimate estimate(String name) {
    double error = contains(name + ERROR) ? number(name + ERROR) : 0;
    return new Estimate(number(name), error, 0);
  }

  /** The elements of an array, in rows. */
  public double[] values(String name) {
    return entry(name).values().clone();
  }

  /** The rows of an array: its first axis against all others. */
  public double[][] rows(String name) {
    Values entry = entry(name);
    int count = (int) entry.shape().size(0);
    int width = count == 0 ? 0 : entry.values().length / count;
    double[][] rows = new double[count][width];
    for (int i = 0; i < count; i++) {
      System.arraycopy(entry.values(), i * width, rows[i], 0, width);
    }
    return rows;
  }

  /** The shape of an array; that of a number has no axes. */
  public Shape shape(String name) {
    return entry(name).shape();
  }

  /** An array as a new f64 tensor. */
  public Tensor tensor(String name) {
    return Tensor.of(shape(name), entry(name).values());
  }

  private Values entry(String name) {
    Values entry = entries.get(name);
    Checks.that(entry != null, "name: expected one of %s, got '%s'", entries.keySet(), name);
    return entry;
  }

  /**
   * Writes all entries as .npz, whole or not at all.
   *
   * @throws InputException if it cannot be written
   */
  void write(Path file) {
    try (NpzWriter writer = new NpzWriter(file)) {
      for (String name : entries.keySet()) {
        try (Tensor tensor = tensor(name)) {
          writer.add(name, tensor);
        }
      }
    }
  }

  /** Reads what {@link #write} wrote. */
  static Point read(Path file) {
    Point point = new Point();
    try (TensorMap tensors = Npz.read(file, DType.F64)) {
      tensors.asMap().forEach(point::put);
    }
    return point;
  }
}
