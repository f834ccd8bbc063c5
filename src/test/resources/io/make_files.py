"""Makes the files in this folder with NumPy: the tests' truth that is not ours. Run it here: python3 make_files.py (NumPy 2.4)."""

import json
import struct
import zipfile

import numpy as np

A = np.array([[1.5, -2.25, 3.0], [4.0, 1e-300, -0.0]])
CUBE = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
HALVES = np.array([0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xC248, 0x7BFF, 0x7C00, 0xFC00, 0x7E00], np.uint16)
BRAINS = np.array([0x0000, 0x8000, 0x0001, 0x8040, 0x0080, 0x3F80, 0xC049, 0x7F7F, 0x7F80, 0xFF80, 0x7FC0], np.uint16)


def npy():
    np.save("f8.npy", A)
    np.save("f4.npy", CUBE)
    np.save("f8_fortran.npy", np.asfortranarray(A))
    np.save("f4_fortran.npy", np.asfortranarray(CUBE))
    np.save("f8_big_endian.npy", A.astype(">f8"))
    np.save("f4_big_endian_fortran.npy", np.asfortranarray(CUBE.astype(">f4")))
    np.save("i4.npy", np.array([0, -1, 2**31 - 1, -(2**31)], np.int32))
    np.save("i4_big_endian.npy", np.array([0, -1, 2**31 - 1, -(2**31)], ">i4"))
    np.save("i8.npy", np.array([0, -1, 2**53, -(2**63)], np.int64))
    np.save("i8_big_endian.npy", np.array([0, -1, 2**53, -(2**63)], ">i8"))
    np.save("i8_inexact.npy", np.array([0, 2**53 + 1], np.int64))
    np.save("i8_largest.npy", np.array([2**63 - 1], np.int64))
    np.save("bool.npy", np.array([True, False, True]))
    np.save("f2.npy", HALVES.view(np.float16))
    np.save("f2_as_f4.npy", HALVES.view(np.float16).astype(np.float32))
    np.save("scalar.npy", np.array(7.5))
    np.save("empty.npy", np.zeros((3, 0, 2), np.float32))
    with open("f8_version2.npy", "wb") as file:
        np.lib.format.write_array(file, A, version=(2, 0))
    with open("f8_version3.npy", "wb") as file:
        np.lib.format.write_array(file, A, version=(3, 0))
    np.save("complex.npy", np.array([1j]))
    np.save("records.npy", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")]))
    np.save("objects.npy", np.array([None]), allow_pickle=True)


def npz():
    arrays = {"rnn.weight": A, "rnn.bias": np.asfortranarray(CUBE), "count": np.array(3)}
    np.savez("stored.npz", **arrays)
    np.savez_compressed("deflated.npz", **arrays, zeros=np.zeros(2000))
    np.savez("no_arrays.npz")
    np.savez("nested.npz", **{"params/rnn/kernel": A})
    with zipfile.ZipFile("climbing.npz", "w") as file:
        file.write("f8.npy", "../f8.npy")
    with zipfile.ZipFile("pickled.npz", "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x02.")


def safetensors():
    tensors = {
        "wide": ("F64", A),
        "half": ("F16", HALVES),
        "brain": ("BF16", BRAINS),
        "steps": ("I64", np.array([5], np.int64)),
        "scalar": ("F32", np.array(2.5, np.float32)),
        "empty": ("F32", np.zeros((0, 4), np.float32)),
        "cube": ("F32", CUBE),
    }
    header, data = {"__metadata__": {"format": "pt", "note": "ünïcode"}}, b""
    for name, (dtype, array) in tensors.items():
        raw = array.tobytes()
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open("mixed.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
    np.save("brain_as_f4.npy", (BRAINS.astype(np.uint32) << 16).view(np.float32))


npy()
npz()
safetensors()
