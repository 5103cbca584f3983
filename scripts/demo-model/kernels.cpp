// The steps between the matrix products, each in one pass over memory. Composed of torch's
// operators they took more than half of the training time. Built and called by kernels.py; one
// thread.
//
// T is the type of the matrices (float or bfloat16), everything inside is computed in float.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct bf16 {
  uint16_t bits;
};

inline float load(float x) { return x; }
inline float load(bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline void store(float& to, float x) { to = x; }
inline void store(bf16& to, float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  to.bits = static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// Cephes' polynomial: unlike std::exp it vectorises without a vector math library.
inline float exponential(float x) {
  x = std::min(std::max(x, -80.0f), 80.0f);
  const float n = __builtin_floorf(x * 1.44269504f + 0.5f);
  x = x - n * 0.693359375f + n * 2.12194440e-4f;
  float y = 1.9875691500e-4f;
  y = y * x + 1.3981999507e-3f;
  y = y * x + 8.3334519073e-3f;
  y = y * x + 4.1665795894e-2f;
  y = y * x + 1.6666665459e-1f;
  y = y * x + 5.0000001201e-1f;
  y = y * x * x + x + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, 4);
  return y * power;
}

// sum = x + delta; out = rms_norm(sum) * weight. `delta` may be null: then sum is x.
template <typename T>
void norm_forward(const float* __restrict x, const T* __restrict delta,
                  const float* __restrict weight, float epsilon, float* __restrict sum,
                  T* __restrict out, float* __restrict scales, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, x += width, sum += width, out += width) {
    float square = 0;
    for (int64_t i = 0; i < width; i++) {
      const float value = x[i] + (delta ? load(delta[r * width + i]) : 0.0f);
      sum[i] = value;
      square += value * value;
    }
    const float scale = 1.0f / __builtin_sqrtf(square / width + epsilon);
    scales[r] = scale;
    for (int64_t i = 0; i < width; i++)
      store(out[i], sum[i] * scale * weight[i]);
  }
}

// grad_sum holds the gradient that reaches `sum` by the residual stream and gets that of the norm
// on top.
template <typename T>
void norm_backward(const T* __restrict grad, const float* __restrict sum,
                   const float* __restrict scales, const float* __restrict weight,
                   float* __restrict grad_sum, T* __restrict grad_delta,
                   float* __restrict grad_weight, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, grad += width, sum += width, grad_sum += width) {
    const float scale = scales[r];
    float dot = 0;
    for (int64_t i = 0; i < width; i++) {
      const float g = load(grad[i]), normal = sum[i] * scale;
      grad_weight[i] += g * normal;
      dot += g * weight[i] * normal;
    }
    dot /= width;
    for (int64_t i = 0; i < width; i++) {
      const float g = load(grad[i]) * weight[i];
      grad_sum[i] += (g - sum[i] * scale * dot) * scale;
      if (grad_delta) store(grad_delta[r * width + i], grad_sum[i]);
    }
  }
}

// One head of one row: halves are partners. sign -1 turns back.
template <typename T>
void turn(const T* __restrict in, T* __restrict out, const float* __restrict cosine,
          const float* __restrict sine, float sign, float scale, int64_t half) {
  for (int64_t i = 0; i < half; i++) {
    const float a = load(in[i]) * scale, b = load(in[i + half]) * scale, s = sign * sine[i];
    store(out[i], a * cosine[i] - b * s);
    store(out[i + half], b * cosine[i] + a * s);
  }
}

// joined (rows: q heads, k heads, v heads) to q, k, v, or their gradients back into one.
template <typename T>
void rotate(T* __restrict joined, T* __restrict q, T* __restrict k, T* __restrict v,
            const float* __restrict cosine, const float* __restrict sine, float scale, bool back,
            int64_t rows, int64_t heads, int64_t kv, int64_t head) {
  const int64_t half = head / 2;
  for (int64_t r = 0; r < rows; r++, cosine += half, sine += half) {
    for (int64_t h = 0; h < heads + kv; h++) {
      T* __restrict own = h < heads ? q + (r * heads + h) * head : k + (r * kv + h - heads) * head;
      const float factor = h < heads ? scale : 1.0f;
      if (back)
        turn(own, joined + h * head, cosine, sine, -1.0f, factor, half);
      else
        turn(joined + h * head, own, cosine, sine, 1.0f, factor, half);
    }
    T* __restrict values = joined + (heads + kv) * head;
    T* __restrict own = v + r * kv * head;
    if (back)
      std::memcpy(values, own, kv * head * sizeof(T));
    else
      std::memcpy(own, values, kv * head * sizeof(T));
    joined += (heads + 2 * kv) * head;
  }
}

// Softmax over [shared scores, own scores up to the diagonal], in place; what lies behind becomes
// zero.
template <typename T>
void softmax_forward(T* __restrict shared, T* __restrict own, int64_t rows, int64_t size,
                     int64_t length) {
  std::vector<float> values(length + size);
  float* __restrict value = values.data();
  for (int64_t r = 0; r < rows; r++, shared += length, own += size) {
    const int64_t seen = r % size + 1;
    float top = -3e38f, total = 0;
    for (int64_t i = 0; i < length; i++)
      value[i] = load(shared[i]);
    for (int64_t i = 0; i < seen; i++)
      value[length + i] = load(own[i]);
    for (int64_t i = 0; i < length + seen; i++)
      top = std::max(top, value[i]);
    for (int64_t i = 0; i < length + seen; i++) {
      value[i] = exponential(value[i] - top);
      total += value[i];
    }
    const float scale = 1.0f / total;
    for (int64_t i = 0; i < length; i++)
      store(shared[i], value[i] * scale);
    for (int64_t i = 0; i < seen; i++)
      store(own[i], value[length + i] * scale);
    for (int64_t i = seen; i < size; i++)
      store(own[i], 0.0f);
  }
}

// Turns the gradients of the probabilities into those of the scores, in place.
template <typename T>
void softmax_backward(const T* __restrict shared, const T* __restrict own,
                      T* __restrict grad_shared, T* __restrict grad_own, int64_t rows, int64_t size,
                      int64_t length) {
  for (int64_t r = 0; r < rows;
       r++, shared += length, own += size, grad_shared += length, grad_own += size) {
    float dot = 0;
    for (int64_t i = 0; i < length; i++)
      dot += load(shared[i]) * load(grad_shared[i]);
    for (int64_t i = 0; i < size; i++)
      dot += load(own[i]) * load(grad_own[i]);
    for (int64_t i = 0; i < length; i++)
      store(grad_shared[i], load(shared[i]) * (load(grad_shared[i]) - dot));
    for (int64_t i = 0; i < size; i++)
      store(grad_own[i], load(own[i]) * (load(grad_own[i]) - dot));
  }
}

// joined rows hold gate and up: out = silu(gate) * up.
template <typename T>
void swiglu_forward(const T* __restrict joined, T* __restrict out, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, joined += 2 * width, out += width) {
    for (int64_t i = 0; i < width; i++) {
      const float gate = load(joined[i]), up = load(joined[width + i]);
      store(out[i], gate / (1.0f + exponential(-gate)) * up);
    }
  }
}

template <typename T>
void swiglu_backward(const T* __restrict joined, const T* __restrict grad, T* __restrict out,
                     int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, joined += 2 * width, out += 2 * width, grad += width) {
    for (int64_t i = 0; i < width; i++) {
      const float gate = load(joined[i]), up = load(joined[width + i]), g = load(grad[i]);
      const float sigmoid = 1.0f / (1.0f + exponential(-gate));
      store(out[i], g * up * sigmoid * (1.0f + gate * (1.0f - sigmoid)));
      store(out[width + i], g * gate * sigmoid);
    }
  }
}

}  // namespace

#define EXPORT(name, T)                                                                            \
  void norm_forward_##name(const float* x, const T* d, const float* w, float e, float* s, T* o,    \
                           float* c, int64_t rows, int64_t width) {                                \
    norm_forward(x, d, w, e, s, o, c, rows, width);                                                \
  }                                                                                                \
  void norm_backward_##name(const T* g, const float* s, const float* c, const float* w, float* gs, \
                            T* gd, float* gw, int64_t rows, int64_t width) {                       \
    norm_backward(g, s, c, w, gs, gd, gw, rows, width);                                            \
  }                                                                                                \
  void rotate_##name(T* j, T* q, T* k, T* v, const float* c, const float* s, float scale,          \
                     int64_t back, int64_t rows, int64_t heads, int64_t kv, int64_t head) {        \
    rotate(j, q, k, v, c, s, scale, back != 0, rows, heads, kv, head);                             \
  }                                                                                                \
  void softmax_forward_##name(T* shared, T* own, int64_t rows, int64_t size, int64_t length) {     \
    softmax_forward(shared, own, rows, size, length);                                              \
  }                                                                                                \
  void softmax_backward_##name(const T* shared, const T* own, T* gs, T* go, int64_t rows,          \
                               int64_t size, int64_t length) {                                     \
    softmax_backward(shared, own, gs, go, rows, size, length);                                     \
  }                                                                                                \
  void swiglu_forward_##name(const T* j, T* o, int64_t rows, int64_t width) {                      \
    swiglu_forward(j, o, rows, width);                                                             \
  }                                                                                                \
  void swiglu_backward_##name(const T* j, const T* g, T* o, int64_t rows, int64_t width) {         \
    swiglu_backward(j, g, o, rows, width);                                                         \
  }

extern "C" {
EXPORT(float32, float)
EXPORT(bfloat16, bf16)
}
