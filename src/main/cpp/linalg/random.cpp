#include "linalg/random.hpp"

#include <algorithm>
#include <cmath>

namespace kpflow {

namespace {

struct Words {
  uint32_t w[4];
};

// Ten rounds of Philox4x32 on the counter (block, 0) under the key seed.
Words philox(uint64_t seed, uint64_t block) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  Words c{{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}};
  for (int round = 0; round < 10; ++round) {
    const uint64_t left = uint64_t{0xD2511F53u} * c.w[0], right = uint64_t{0xCD9E8D57u} * c.w[2];
    c = Words{{static_cast<uint32_t>(right >> 32) ^ c.w[1] ^ key0, static_cast<uint32_t>(right),
               static_cast<uint32_t>(left >> 32) ^ c.w[3] ^ key1, static_cast<uint32_t>(left)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

// A uniform number in (0, 1) from two words: 52 bits at cell centres, never 0 or 1.
double uniform(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t{high} << 32 | low) >> 12;
  return (static_cast<double>(bits) + 0.5) * 0x1p-52;
}

// The two elements of one counter block: elements 2 block and 2 block + 1 of the stream.
void draw(int32_t distribution, uint64_t seed, uint64_t block, double (&out)[2]) {
  const Words words = philox(seed, block);
  const double u = uniform(words.w[0], words.w[1]), v = uniform(words.w[2], words.w[3]);
  switch (distribution) {
    case KPFLOW_GAUSSIAN: {  // Box and Muller 1958
      const double radius = std::sqrt(-2 * std::log(u)), angle = 2 * M_PI * v;
      double sine, cosine;
      sincos(angle, &sine, &cosine);
      out[0] = radius * cosine;
      out[1] = radius * sine;
      break;
    }
    case KPFLOW_RADEMACHER:
      out[0] = u < 0.5 ? -1 : 1;
      out[1] = v < 0.5 ? -1 : 1;
      break;
    default:
      out[0] = u;
      out[1] = v;
  }
}

}  // namespace

template <class T>
void fill_random(ThreadPool& pool, int32_t distribution, uint64_t seed, int64_t offset, int64_t count, T* out) {
  constexpr int64_t kChunk = 1 << 14;
  pool.run(pieces(count, kChunk), [&](int64_t task, int) {
    const int64_t first = offset + task * kChunk, last = offset + std::min(count, (task + 1) * kChunk);
    for (int64_t block = first / 2; 2 * block < last; ++block) {
      double pair[2];
      draw(distribution, seed, static_cast<uint64_t>(block), pair);
      for (int64_t element = std::max(first, 2 * block); element < std::min(last, 2 * block + 2); ++element) {
        out[element - offset] = static_cast<T>(pair[element - 2 * block]);
      }
    }
  });
}

template void fill_random<float>(ThreadPool&, int32_t, uint64_t, int64_t, int64_t, float*);
template void fill_random<double>(ThreadPool&, int32_t, uint64_t, int64_t, int64_t, double*);

}  // namespace kpflow
