package org.kpflow.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

class PlotsTest {
  private static final double NAN = Double.NaN;

  @Test
  void bothFilesAreWrittenNextToEachOther(@TempDir Path directory) throws IOException {
    Picture picture = Plots.cumulativeVariance(Samples.cumulative());
    List<Path> files = picture.write(directory.resolve("new/cumulative"));
    assertEquals(
        List.of(directory.resolve("new/cumulative.png"), directory.resolve("new/cumulative.svg")),
        files);
    BufferedImage image = ImageIO.read(files.get(0).toFile());
    assertEquals(1800, image.getWidth());
    assertEquals(1200, image.getHeight());
    assertTrue(Files.readString(files.get(1)).contains("<svg"));
  }

  @ParameterizedTest
  @MethodSource("realisticPictures")
  void everyPictureHasManyColoursAndItsDeclaredSize(Picture picture) throws IOException {
    BufferedImage image = image(picture);
    assertEquals(picture.width(), image.getWidth());
    assertEquals(picture.height(), image.getHeight());
    assertTrue(colours(image).size() > 50, "a blank picture has one colour, a drawn one many");
    assertTrue(holds(image, Palette.series(0)), "the first series is drawn in its colour");
  }

  @ParameterizedTest
  @MethodSource("realisticPictures")
  void everySvgIsWellFormedWithoutTheNetworkAndNamesItsAxes(Picture picture) throws Exception {
    String svg = picture.svg();
    assertFalse(svg.contains("<!DOCTYPE"), "a DTD would be fetched");
    Document document = parse(svg);
    assertEquals("svg", document.getDocumentElement().getLocalName());
    String description = text(document, "desc");
    assertTrue(description.contains("x axis: ") && description.contains("y axis: "), description);
    assertEquals(picture.title(), text(document, "title"));
    assertTrue(
        document.getElementsByTagName("path").getLength() > 20, "letters and lines are paths");
    assertEquals(picture.width() / 2 + "px", document.getDocumentElement().getAttribute("width"));
    assertFalse(svg.contains("NaN") || svg.contains("Infinity"), "coordinates are numbers");
  }

  @ParameterizedTest
  @MethodSource("degeneratePictures")
  void degenerateResultsAreDrawnAllTheSame(Picture picture) throws Exception {
    assertTrue(colours(image(picture)).size() > 5, "at least axes and letters");
    String svg = picture.svg();
    parse(svg);
    assertFalse(svg.contains("NaN") || svg.contains("Infinity"), "coordinates are numbers");
  }

  @ParameterizedTest
  @MethodSource("realisticPictures")
  void theSameInputGivesTheSameSvg(Picture picture) {
    assertEquals(picture.svg(), picture.svg());
  }

  @Test
  void thePngIsReproducibleToo() {
    Picture once = Plots.temporalModes(Samples.modes(1, 20, 90), Samples.phases());
    Picture again = Plots.temporalModes(Samples.modes(1, 20, 90), Samples.phases());
    assertArrayEquals(once.png(), again.png());
  }

  @Test
  void aTrialIsOnePathSoThatManyTrialsStaySmall() {
    String svg = Plots.temporalModes(Samples.modes(6, 100, 90), Samples.phases()).svg();
    assertTrue(svg.length() < 2_000_000, () -> "characters: " + svg.length());
  }

  @Test
  void thinnedTrialsAreAnnounced() {
    assertTrue(
        Plots.temporalModes(Samples.modes(1, 300, 5), List.of())
            .description()
            .contains("100 of 300 trials"));
    assertFalse(
        Plots.temporalModes(Samples.modes(1, 100, 5), List.of()).description().contains("trials"));
  }

  @Test
  void stepsThatWerePickedStandWhereTheyAreInTheTrial() {
    List<TemporalMode> modes = Samples.modes(1, 2, 3);
    int[] steps = {40, 50, 70};
    String svg = Plots.temporalModes(modes, steps, Samples.phases()).svg();
    assertTrue(svg.contains("time step, 40 to 70"));
    Phase late = new Phase("late", 99);
    List<Phase> within = List.of(Samples.phases().get(1), Samples.phases().get(2));
    assertEquals(svg, Plots.temporalModes(modes, steps, within).svg(), "stimulus is over");
    assertEquals(svg, Plots.temporalModes(modes, steps, and(Samples.phases(), late)).svg());
    assertNotEquals(svg, Plots.temporalModes(modes, steps, List.of()).svg());
  }

  private static List<Phase> and(List<Phase> phases, Phase last) {
    List<Phase> all = new java.util.ArrayList<>(phases);
    all.add(last);
    return all;
  }

  @Test
  void modesAreTitledWithTheirShare() {
    List<TemporalMode> modes = List.of(new TemporalMode(0.6234, new double[][] {{1, 2}}));
    assertTrue(Plots.temporalModes(modes, List.of()).description().endsWith("mode 1 (62.3 %)"));
  }

  @Test
  void theRangeOfModesFollowsTheSlowestCurveOfLowRank() {
    double[] slow = new double[300];
    double[] flat = new double[300];
    for (int i = 0; i < 300; i++) {
      slow[i] = 1 - Math.pow(0.85, i + 1); // 99.9 % with 43 modes
      flat[i] = (i + 1) / 2000.0;
    }
    Curve fast = Curve.exact("fast", Samples.geometric(300, 1, 0.96, 0.9999));
    assertEquals(
        43,
        CumulativeFigure.shownModes(
            List.of(fast, Curve.exact("slow", slow), Curve.exact("flat", flat))));
    assertEquals(20, CumulativeFigure.shownModes(List.of(fast, Curve.exact("flat", flat))));
    assertEquals(100, CumulativeFigure.shownModes(List.of(Curve.exact("flat", flat))));
    assertEquals(5, CumulativeFigure.shownModes(List.of(Curve.exact("short", .2, .4, .6, .8, 1))));
  }

  @Test
  void cumulativeSharesAreSumsOverTheTrace() {
    assertArrayEquals(
        new double[] {0.5, 0.75, 0.875},
        Curve.cumulative("a", new double[] {4, 2, 1}, 8).values(),
        1e-15);
    assertTrue(Double.isNaN(Curve.cumulative("zero", new double[] {0}, 0).values()[0]));
  }

  @Test
  void emptyInputIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> Plots.cumulativeVariance(List.of()));
    assertThrows(IllegalArgumentException.class, () -> Plots.temporalModes(List.of(), List.of()));
    assertThrows(
        IllegalArgumentException.class,
        () -> Plots.temporalModes(Samples.modes(1, 2, 3), new int[] {0, 1}, List.of()));
    assertThrows(
        IllegalArgumentException.class, () -> new TemporalMode(1, new double[][] {{1, 2}, {1}}));
    assertThrows(
        IllegalArgumentException.class, () -> new Curve("a", new double[3], new double[2]));
  }

  static Stream<Picture> realisticPictures() {
    List<SpectrumPanel> views = new ArrayList<>();
    for (String view : List.of("temp", "space", "batch", "time")) {
      views.add(new SpectrumPanel(view, Samples.spectra()));
    }
    return Stream.of(
        Plots.cumulativeVariance(Samples.cumulative()),
        Plots.temporalModes(Samples.modes(1, 1, 90), Samples.phases()),
        Plots.eigenvalueSpectra(Samples.spectra(), true),
        Plots.eigenvalueSpectra(Samples.spectra(), false),
        Plots.viewSpectra(views),
        Plots.targetAlignment(
            List.of(
                new Curve("trained", new double[] {0.6, 0.1, 0.004}, new double[] {0.02, 0.01, 0}),
                Curve.exact("at initialization", 0.2, 0.18, 0.1))),
        Plots.trends("Training", List.of(Samples.trends(true))),
        Plots.trends(
            "Training", List.of(Samples.trends(true), Samples.trends(false), Samples.trends(true))),
        Plots.heatmap(
            "Alignment",
            "output",
            List.of("0", "1", "2"),
            new double[][] {{1, -0.99, 0.3}, {-0.99, 1, NAN}, {0.3, NAN, 1}}),
        Plots.panels("Panels", 2, panels(new double[60][60], 3)));
  }

  /** One panel of each kind; the matrix has a 1 in its first cell. */
  private static List<Panel> panels(double[][] matrix, double level) {
    matrix[0][0] = 1;
    double[][] lines = {{0, 1, NAN, level}, {1, 1, 1, 1}};
    TrendPanel trends = Samples.trends(false);
    return List.of(
        new TrendPanel("t", "x", "y", false, trends.trends(), List.of(new Guide("level", level))),
        new MatrixPanel("m", "i", "j", List.of(), List.of(), matrix, MatrixPanel.Scale.SEQUENTIAL),
        new LinesPanel(
            "l",
            "x",
            "y",
            List.of(Bundle.overSteps("a", lines), new Bundle("b", lines, lines, true)),
            Samples.phases(),
            null));
  }

  @Test
  void aLegendThatAllPanelsShareIsDrawnOnce() {
    Panel panel = Samples.trends(false);
    Panel other =
        new TrendPanel(
            "t",
            "x",
            "y",
            false,
            List.of(
                new Trend("c", new double[2], new double[2], null),
                new Trend("d", new double[2], new double[2], null)));
    int alone = Plots.panels("p", 2, List.of(panel, other)).height();
    assertTrue(Plots.panels("p", 2, List.of(panel, panel)).height() > alone, "a strip below");
  }

  @Test
  void aMatrixIsDrawnRowByRowFromTheTop() throws IOException {
    double[][] values = {{0, 1}, {0, 0}};
    for (int times : new int[] {1, 30}) { // as cells and as one image
      double[][] matrix = new double[2 * times][2 * times];
      for (int i = 0; i < matrix.length; i++) {
        for (int j = 0; j < matrix.length; j++) {
          matrix[i][j] = values[i / times][j / times];
        }
      }
      BufferedImage image =
          image(
              Plots.panels(
                  "m",
                  1,
                  List.of(
                      new MatrixPanel(
                          "m",
                          "i",
                          "j",
                          List.of(),
                          List.of(),
                          matrix,
                          MatrixPanel.Scale.DIVERGING))));
      int full = Palette.series(1).getRGB();
      int white = Color.WHITE.getRGB();
      int left = image.getWidth() / 4;
      int right = image.getWidth() * 6 / 10;
      int upper = image.getHeight() / 5;
      int lower = image.getHeight() * 7 / 10;
      assertEquals(full, image.getRGB(right, upper));
      assertEquals(white, image.getRGB(left, upper));
      assertEquals(white, image.getRGB(right, lower));
    }
  }

  private static TrendPanel panel(boolean logarithmic, double[] x, double... values) {
    return new TrendPanel(
        "p", "x", "y", logarithmic, List.of(new Trend("t", x, values, fill(x.length, NAN))));
  }

  @Timeout(60) // XChart looks for ticks until all labels differ, for ever if they cannot
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void trendsOfAnyRangeHaveTicks(boolean logarithmic) throws Exception {
    double[] one = {0};
    double[] steps = {0, 1e9};
    double[][] ranges = {
      {1, 1},
      {0, 0},
      {NAN, NAN},
      {-1e-9, 1e-9},
      {-5, -5.0000001},
      {1e-300, 1e300},
      {1e9, 1e9 + 1},
      {Double.NEGATIVE_INFINITY, 0.5},
      {0.99999, 1},
      {-1e300, 3}
    };
    for (double[] range : ranges) {
      for (double[] x : List.of(new double[] {0, 1}, new double[] {0.1, 0.25}, steps)) {
        parse(Plots.trends("t", List.of(panel(logarithmic, x, range))).svg());
      }
    }
    parse(Plots.trends("t", List.of(panel(logarithmic, one, 3))).svg());
    parse(Plots.trends("t", List.of(panel(logarithmic, new double[0]))).svg());
  }

  @Timeout(60)
  @Test
  void everyHeatmapHasTheLabelsOfItsCells() throws Exception {
    for (int m : new int[] {1, 2, 7, 20, 150}) {
      List<String> labels = IntStream.range(0, m).mapToObj(i -> String.valueOf(7 * i)).toList();
      double[][] values = new double[m][m];
      parse(Plots.heatmap("m", "trial", labels, values).svg());
    }
  }

  static Stream<Picture> degeneratePictures() {
    Curve zero = Curve.exact("zero", 0, 0, -1e-20);
    Curve nothing = Curve.exact("nothing");
    String hostile = "\u0000 \u200b<b>&\n" + "ж".repeat(80);
    double[] partly = {1, NAN, 0.5, Double.POSITIVE_INFINITY};
    Curve broken = new Curve(hostile, partly, fill(4, NAN));
    double[][] constant = {fill(90, 0), fill(90, 0)};
    double[][] gaps = {{1, NAN, 3, NAN, NAN, 2, 2}, fill(7, NAN)};
    return Stream.of(
        Plots.panels(hostile, 3, panels(new double[][] {{0}}, 0)),
        Plots.panels("p", 1, panels(new double[][] {fill(3, NAN), fill(3, 0)}, 1e300)),
        Plots.panels(
            "p",
            1,
            List.of(
                new LinesPanel(
                    hostile, "x", "y", List.of(Bundle.overSteps(hostile, gaps)), List.of(), null))),
        Plots.cumulativeVariance(List.of(Curve.exact("one", 1))),
        Plots.cumulativeVariance(List.of(Curve.cumulative("zero", new double[5], 0), nothing)),
        Plots.cumulativeVariance(List.of(broken, broken)),
        Plots.eigenvalueSpectra(List.of(zero), true),
        Plots.eigenvalueSpectra(List.of(zero, nothing, broken), false),
        Plots.eigenvalueSpectra(List.of(Curve.exact("one", 1)), true),
        Plots.eigenvalueSpectra(
            List.of(Curve.exact("tiny", 1e-300, 1e-301), Curve.exact("huge", 1e300)), false),
        Plots.eigenvalueSpectra(
            List.of(new Curve("noisy", new double[] {1, 0.1}, new double[] {2, 0.2})), false),
        Plots.viewSpectra(
            List.of(
                new SpectrumPanel("temp", List.of(zero)),
                new SpectrumPanel("space", List.of(broken)))),
        Plots.temporalModes(
            List.of(new TemporalMode(1, new double[][] {{0.3}, {-0.2}})), Samples.phases()),
        Plots.temporalModes(List.of(new TemporalMode(NAN, constant)), Samples.phases()),
        Plots.temporalModes(List.of(new TemporalMode(0.5, gaps)), List.of(new Phase("late", 99))),
        Plots.temporalModes(
            List.of(new TemporalMode(0.5, new double[][] {fill(5, 1e9), fill(5, 1e-9)})),
            List.of()),
        Plots.temporalModes(List.of(new TemporalMode(0, new double[][] {fill(3, NAN)})), List.of()),
        Plots.temporalModes(Samples.modes(9, 100, 90), Samples.phases()),
        Plots.targetAlignment(List.of(Curve.exact("one", 3.2e-7))),
        Plots.targetAlignment(List.of(zero, nothing, broken)),
        Plots.targetAlignment(List.of(Curve.exact("negative", -0.2, -0.1))),
        Plots.trends(
            hostile,
            List.of(
                new TrendPanel(
                    hostile,
                    hostile,
                    hostile,
                    true,
                    List.of(new Trend(hostile, new double[] {0, 1, 2, 3}, partly, null))))),
        Plots.heatmap(hostile, hostile, List.of(hostile), new double[][] {{NAN}}));
  }

  private static double[] fill(int length, double value) {
    double[] values = new double[length];
    Arrays.fill(values, value);
    return values;
  }

  private static BufferedImage image(Picture picture) throws IOException {
    return ImageIO.read(new ByteArrayInputStream(picture.png()));
  }

  private static Set<Integer> colours(BufferedImage image) {
    Set<Integer> colours = new HashSet<>();
    for (int pixel :
        image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth())) {
      colours.add(pixel);
    }
    return colours;
  }

  private static boolean holds(BufferedImage image, Color color) {
    return colours(image).contains(color.getRGB());
  }

  private static Document parse(String svg) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    factory.setNamespaceAware(true);
    return factory
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)));
  }

  private static String text(Document document, String name) {
    return ((Element) document.getElementsByTagName(name).item(0)).getTextContent();
  }

  @Test
  void aLongLegendBelowOnePanelGoesOnInFurtherRows() {
    int one = legendHeight("a", "b");
    assertTrue(legendHeight("network 1 under Shampoo", "network 1 under SGD", "network 2") > one);
  }

  private static int legendHeight(String... names) {
    double[] x = {0, 1};
    List<Trend> trends = Stream.of(names).map(name -> new Trend(name, x, x, null)).toList();
    Chart chart =
        TrendFigure.chart(new TrendPanel("t", "x", "y", false, trends), Chart.Lettering.SMALL);
    chart.legendBelow();
    return chart.strip(440).height();
  }
}
