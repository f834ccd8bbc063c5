package org.kpflow.report;

import de.erichseifert.vectorgraphics2d.Document;
import de.erichseifert.vectorgraphics2d.VectorGraphics2D;
import de.erichseifert.vectorgraphics2d.svg.SVGProcessor;
import de.erichseifert.vectorgraphics2d.util.PageSize;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.font.TextLayout;
import java.awt.geom.AffineTransform;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.kpflow.base.Checks;
import org.kpflow.base.KpflowException;

/**
 * A finished figure of one or more charts, as PNG and as SVG with the same content. The same input
 * gives the same bytes on one machine; other fonts elsewhere give other letters. Needs no screen:
 * {@code java.awt.headless} should be true where a display is set but unreachable.
 */
public final class Picture {
  /** Pixels of the PNG per unit of the layout. */
  static final int SCALE = 2;

  private static final Pattern LONG_NUMBER = Pattern.compile("(-?\\d+\\.\\d{3,})(E-?\\d+)?");
  private static final Pattern DOCTYPE = Pattern.compile("<!DOCTYPE[^>]*>\\s*");
  private static final Pattern ROOT = Pattern.compile("<svg[^>]*>");

  /** A chart, its letter or "", and the place of its upper left corner. */
  record Panel(Chart chart, String letter, int x, int y, int width, int height) {}

  private final String title;
  private final String description;
  private final int width;
  private final int height;
  private final List<Panel> panels;
  private final LegendStrip legend;
  private byte[] painted; // the PNG once it is painted: a file and a page take the same

  /**
   * A legend, if not null, stands under the panels, whose part of the picture has the given height.
   */
  Picture(
      String title,
      String description,
      int width,
      int height,
      List<Panel> panels,
      LegendStrip legend) {
    this.title = Markup.label(title);
    this.description = Markup.label(description);
    this.width = width;
    this.height = height + (legend == null ? 0 : legend.height());
    this.panels = List.copyOf(panels);
    this.legend = legend;
  }

  /** What the figure shows, in a few words. */
  public String title() {
    return title;
  }

  /** The axes and the series in one sentence, for readers who do not see the picture. */
  public String description() {
    return description;
  }

  /** Width of the PNG in pixels. */
  public int width() {
    return SCALE * width;
  }

  /** Height of the PNG in pixels. */
  public int height() {
    return SCALE * height;
  }

  /**
   * The figure as a PNG file.
   *
   * @throws KpflowException if this Java cannot draw text
   */
  public synchronized byte[] png() {
    if (painted == null) {
      painted = paintPng();
    }
    return painted.clone();
  }

  private byte[] paintPng() {
    try {
      BufferedImage image = new BufferedImage(width(), height(), BufferedImage.TYPE_INT_RGB);
      Graphics2D g = image.createGraphics();
      g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
      g.setRenderingHint(
          RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
      g.setRenderingHint(
          RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
      g.scale(SCALE, SCALE);
      paint(g);
      g.dispose();
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      ImageIO.write(image, "png", bytes);
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a byte array does not refuse
    }
  }

  /**
   * The figure as an SVG document. Letters are outlines, so that it looks the same on every
   * machine; title and description are text.
   *
   * @throws KpflowException if this Java cannot draw text
   */
  public String svg() {
    try {
      VectorGraphics2D g = new VectorGraphics2D();
      paint(g);
      Document document =
          new SVGProcessor().getDocument(g.getCommands(), new PageSize(0, 0, width, height));
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      document.writeTo(bytes);
      return finished(bytes.toString(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a byte array does not refuse
    }
  }

  /**
   * Writes {@code base.png} and {@code base.svg}, each whole or not at all; missing directories are
   * made.
   *
   * @param base the path without an extension
   * @return the two files
   * @throws IOException if one cannot be written
   */
  public List<Path> write(Path base) throws IOException {
    Checks.that(
        base.getFileName() != null, "base: expected a file name without extension, got '%s'", base);
    Path png = base.resolveSibling(base.getFileName() + ".png");
    Path svg = base.resolveSibling(base.getFileName() + ".svg");
    byte[] pixels = png();
    byte[] vectors = svg().getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(png, out -> out.write(pixels));
    AtomicFile.write(svg, out -> out.write(vectors));
    return List.of(png, svg);
  }

  private void paint(Graphics2D g) {
    g.setColor(Color.WHITE);
    g.fillRect(0, 0, width, height);
    try {
      for (Panel panel : panels) {
        g.translate(panel.x(), panel.y());
        LegendStrip below = panel.chart().strip(panel.width());
        int high = panel.height() - (below == null ? 0 : below.height());
        panel.chart().build(panel.width(), high).paint(g, panel.width(), high);
        if (below != null) {
          below.paint(g, high);
        }
        paintLetter(g, panel.letter());
        g.translate(-panel.x(), -panel.y());
      }
      if (legend != null) {
        legend.paint(g, height - legend.height());
      }
    } catch (InternalError | LinkageError e) {
      // Thrown by AWT where fontconfig, every font or libfreetype is missing, as in bare
      // containers.
      throw new KpflowException(
          "Java cannot draw text here ("
              + e.getMessage()
              + "): install fontconfig and a font, e.g. fonts-dejavu-core",
          e);
    }
  }

  private static void paintLetter(Graphics2D g, String letter) {
    if (!letter.isEmpty()) {
      TextLayout glyphs = new TextLayout(letter, Palette.boldFont(17), g.getFontRenderContext());
      g.setColor(Palette.INK);
      g.fill(glyphs.getOutline(AffineTransform.getTranslateInstance(12, 26)));
    }
  }

  /**
   * Rounds coordinates to hundredths, drops the DTD (parsers would fetch it from the network) and
   * adds title and description.
   */
  private String finished(String svg) {
    String rounded =
        LONG_NUMBER.matcher(svg).replaceAll(match -> hundredths(Double.parseDouble(match.group())));
    String bare = DOCTYPE.matcher(rounded).replaceFirst("");
    String words =
        "<title>"
            + Markup.escape(title)
            + "</title><desc>"
            + Markup.escape(description)
            + "</desc>";
    return ROOT.matcher(bare)
        .replaceFirst(match -> Matcher.quoteReplacement(match.group() + "\n  " + words));
  }

  private static String hundredths(double value) {
    double rounded = Math.rint(value * 100) / 100;
    return rounded == Math.rint(rounded) ? String.valueOf((long) rounded) : String.valueOf(rounded);
  }
}
