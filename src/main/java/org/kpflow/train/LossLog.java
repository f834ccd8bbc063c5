package org.kpflow.train;

import java.io.BufferedReader;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.kpflow.base.InputException;

/**
 * losses.csv: a row per step, written as it is taken. What a process that was killed has written
 * after the state to go on from is cut off.
 */
final class LossLog implements AutoCloseable {
  static final String NAME = "losses.csv";
  private static final String HEADER = "step,loss,learning_rate,gradient_norm,evaluation_loss";

  /**
   * A step. NaN is a number that was not computed, an empty entry in the file.
   *
   * @param loss on the step's trials before the step
   * @param evaluation on the evaluation trials after it
   */
  record Row(long step, double loss, double learningRate, double gradientNorm, double evaluation) {
    private String text() {
      return step
          + ","
          + text(loss)
          + ","
          + text(learningRate)
          + ","
          + text(gradientNorm)
          + ","
          + text(evaluation);
    }

    private static String text(double value) {
      return Double.isNaN(value) ? "" : Double.toString(value);
    }

    private static Row parse(String line) {
      String[] parts = line.split(",", -1);
      return new Row(
          Long.parseLong(parts[0]),
          number(parts[1]),
          number(parts[2]),
          number(parts[3]),
          number(parts[4]));
    }

    private static double number(String text) {
      return text.isEmpty() ? Double.NaN : Double.parseDouble(text);
    }
  }

  private final FileOutputStream file;

  private LossLog(FileOutputStream file) {
    this.file = file;
  }

  /** A new file in place of one that may be there. */
  static LossLog create(Path directory) throws IOException {
    FileOutputStream file = new FileOutputStream(directory.resolve(NAME).toFile());
    file.write((HEADER + "\n").getBytes(StandardCharsets.UTF_8));
    return new LossLog(file);
  }

  /**
   * The file with its rows up to a step, to go on behind them.
   *
   * @throws InputException if it does not have them
   */
  static LossLog resume(Path directory, long step) throws IOException {
    Path path = directory.resolve(NAME);
    long length = 0;
    long last = -1;
    if (Files.exists(path)) {
      try (BufferedReader lines = Files.newBufferedReader(path)) {
        String line = lines.readLine();
        while (line != null && last < step) {
          length += line.length() + 1; // ASCII with \n
          String number = line.substring(0, Math.max(0, line.indexOf(',')));
          last = number.equals(Long.toString(last + 1)) ? last + 1 : last;
          line = lines.readLine();
        }
      }
    }
    if (last != step || Files.size(path) < length) {
      throw new InputException(
          path
              + ": expected the rows of steps 0 to "
              + step
              + ", which are done, got "
              + (last + 1)
              + " rows; restore the file, or train into another folder");
    }
    FileOutputStream file = new FileOutputStream(path.toFile(), true);
    file.getChannel().truncate(length);
    return new LossLog(file);
  }

  void append(Row row) throws IOException {
    file.write((row.text() + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /** Makes sure that the rows are on disk. */
  void sync() throws IOException {
    file.getFD().sync();
  }

  /** All rows of a directory's file. */
  static List<Row> read(Path directory) throws IOException {
    List<Row> rows = new ArrayList<>();
    List<String> lines = Files.readAllLines(directory.resolve(NAME));
    for (String line : lines.subList(1, lines.size())) {
      rows.add(Row.parse(line));
    }
    return rows;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
