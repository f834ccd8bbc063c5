package org.kpflow.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * Hugging Face's .safetensors files: eight little-endian bytes with the length of a JSON header,
 * the header, and the tensors' bytes. See https://github.com/huggingface/safetensors, "Format".
 */
public final class Safetensors {
  private static final String EXPECTED = "a .safetensors file";
  private static final String METADATA = "__metadata__";
  private static final long LONGEST_HEADER = 100_000_000; // as in the reference reader

  private Safetensors() {}

  /**
   * One tensor of a file.
   *
   * @param dtype the format's name of the type, such as F32 or I64
   * @param begin offset of its first byte in the data, behind the header
   * @param end offset behind its last byte
   */
  public record Entry(String dtype, Shape shape, long begin, long end) {}

  /** All tensors of a file by name in the header's order, and what the file says about itself. */
  public record Header(Map<String, Entry> entries, Map<String, String> metadata) {
    public Header {
      entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
      metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }
  }

  /**
   * Reads all tensors of types F32, F64, F16 and BF16, in the header's order. Tensors of other
   * types are left out; asking the result for one by name says so.
   *
   * @param wanted the tensors' type, or null for f64 where the file holds F64 and f32, which holds
   *     the others exactly, elsewhere
   * @throws InputException if the file is missing or damaged, or a finite number overflows the
   *     wanted type
   */
  public static TensorMap read(Path path, DType wanted) {
    String where = path.toString();
    TensorMap tensors = new TensorMap(where);
    try (FileChannel channel = InputFile.open(path, EXPECTED)) {
      Header header = header(channel, where);
      long data = channel.position();
      tensors.putMetadata(header.metadata());
      for (Map.Entry<String, Entry> entry : header.entries().entrySet()) {
        Encoding encoding = encoding(entry.getValue().dtype());
        if (encoding == null) {
          tensors.putSkipped(
              entry.getKey(),
              "is of dtype " + entry.getValue().dtype() + "; expected F32, F64, F16 or BF16");
          continue;
        }
        Tensor tensor =
            Tensor.zeros(wanted == null ? encoding.natural() : wanted, entry.getValue().shape());
        tensors.put(entry.getKey(), tensor);
        channel.position(data + entry.getValue().begin());
        String what = where + ": tensor " + Fault.quote(entry.getKey());
        Elements.read(
            Channels.newInputStream(channel), encoding, ByteOrder.LITTLE_ENDIAN, tensor, what);
      }
      return tensors;
    } catch (IOException fault) {
      tensors.close();
      throw Fault.io(path, "read", fault);
    } catch (RuntimeException | Error fault) {
      tensors.close();
      throw fault;
    }
  }

  /**
   * Reads the header only, and checks it against the size of the file.
   *
   * @throws InputException if the file is missing or damaged
   */
  public static Header header(Path path) {
    try (FileChannel channel = InputFile.open(path, EXPECTED)) {
      return header(channel, path.toString());
    } catch (IOException fault) {
      throw Fault.io(path, "read", fault);
    }
  }

  private static Header header(FileChannel channel, String where) throws IOException {
    long bytes = channel.size();
    if (bytes < Long.BYTES) {
      throw Fault.of(
          where, "has %d bytes; expected the eight of a header's length and more", bytes);
    }
    byte[] prefix = new byte[Long.BYTES];
    InputFile.readFully(Channels.newInputStream(channel), prefix, prefix.length, where);
    long length = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
    long follow = bytes - Long.BYTES;
    if (length < 0 || length > follow) {
      throw Fault.of(
          where,
          "the header claims %s bytes but %d follow; is the file truncated, or not a .safetensors file?",
          Long.toUnsignedString(length),
          follow);
    }
    if (length > LONGEST_HEADER) {
      throw Fault.of(
          where, "the header claims %d bytes; expected at most %d", length, LONGEST_HEADER);
    }
    byte[] text = new byte[(int) length];
    InputFile.readFully(Channels.newInputStream(channel), text, text.length, where);
    return SafetensorsHeader.parse(decoded(text, where), follow - length, where);
  }

  private static String decoded(byte[] text, String where) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text)).toString();
    } catch (CharacterCodingException fault) {
      throw Fault.of(where, "the header is not UTF-8; expected JSON");
    }
  }

  private static Encoding encoding(String dtype) {
    return switch (dtype) {
      case "F32" -> Encoding.F32;
      case "F64" -> Encoding.F64;
      case "F16" -> Encoding.F16;
      case "BF16" -> Encoding.BF16;
      default -> null;
    };
  }

  /**
   * Writes tensors as F32 and F64. The file is replaced in one step: it is never seen in part.
   *
   * @param metadata texts about the file, kept in its {@code __metadata__}; may be empty
   * @throws IllegalArgumentException if a tensor is named {@code __metadata__}
   * @throws InputException if it cannot be written
   */
  public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) {
    Checks.notNull(tensors, "tensors");
    Checks.notNull(metadata, "metadata");
    Checks.that(!tensors.containsKey(METADATA), "tensors: expected no tensor named %s", METADATA);
    tensors.forEach((name, tensor) -> Checks.notNull(tensor, name));
    metadata.forEach((name, text) -> Checks.notNull(text, name));
    try (OutputFile file = OutputFile.create(path)) {
      byte[] head = head(tensors, metadata);
      byte[] length =
          ByteBuffer.allocate(Long.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putLong(head.length)
              .array();
      file.stream().write(length);
      file.stream().write(head);
      // Wide elements first, so that every tensor is aligned to its own elements.
      for (DType dtype : new DType[] {DType.F64, DType.F32}) {
        for (Tensor tensor : tensors.values()) {
          if (tensor.dtype() == dtype) {
            Elements.write(file.stream(), tensor);
          }
        }
      }
      file.commit();
    } catch (IOException fault) {
      throw Fault.io(path, "written", fault);
    }
  }

  private static byte[] head(Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    long wide = 0;
    long narrow = 0;
    for (Tensor tensor : tensors.values()) {
      narrow +=
          tensor.dtype() == DType.F64
              ? tensor.count() * Double.BYTES
              : 0; // F32 data begin where F64 data end
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(METADATA);
        for (Map.Entry<String, String> text : metadata.entrySet()) {
          json.writeStringField(text.getKey(), text.getValue());
        }
        json.writeEndObject();
      }
      for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
        Tensor tensor = entry.getValue();
        boolean isWide = tensor.dtype() == DType.F64;
        long begin = isWide ? wide : narrow;
        long end = begin + tensor.count() * tensor.dtype().bytes();
        wide = isWide ? end : wide;
        narrow = isWide ? narrow : end;
        writeEntry(json, entry.getKey(), tensor, begin, end);
      }
      json.writeEndObject();
    }
    while (bytes.size() % Long.BYTES != 0) {
      bytes.write(' ');
    }
    return bytes.toByteArray();
  }

  private static void writeEntry(
      JsonGenerator json, String name, Tensor tensor, long begin, long end) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeStringField("dtype", tensor.dtype().name());
    json.writeFieldName("shape");
    json.writeArray(tensor.shape().sizes(), 0, tensor.shape().rank());
    json.writeFieldName("data_offsets");
    json.writeArray(new long[] {begin, end}, 0, 2);
    json.writeEndObject();
  }
}
