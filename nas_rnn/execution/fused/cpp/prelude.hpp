// Elementary functions that compilers vectorise without -ffast-math: NaN and infinity pass through, and no
// floating-point state is touched. Range reduction after Cody & Waite 1980; polynomials: Taylor's, cut off
// below the rounding error, and for float exp the coefficients of Cephes (Moshier).
#include <stdint.h>
#include <string.h>

// Inlined whatever it costs: a loop with one call left in it is not vectorised.
#define INLINE static inline __attribute__((always_inline))

#ifdef SINGLE
typedef float F;
typedef int32_t Bits;
#define BIAS 127
#define MANTISSA 23
#define LOW (-105.0f)   // exp of less is 0, of more than HIGH infinite
#define HIGH 88.8f
INLINE F reduced(F x, F n) {
  return __builtin_fmaf(n, 2.12194440e-4f, __builtin_fmaf(n, -0.693359375f, x));
}
INLINE F nearest(F x) { return __builtin_rintf(x * 1.44269504088896341f); }
INLINE F expm1_near_zero(F r) {
  F p = 1.9875691500e-4f;
  p = __builtin_fmaf(p, r, 1.3981999507e-3f);
  p = __builtin_fmaf(p, r, 8.3334519073e-3f);
  p = __builtin_fmaf(p, r, 4.1665795894e-2f);
  p = __builtin_fmaf(p, r, 1.6666665459e-1f);
  p = __builtin_fmaf(p, r, 5.0000001201e-1f);
  return __builtin_fmaf(p, r * r, r);
}
#define LIBM(name) __builtin_##name##f
#else
typedef double F;
typedef int64_t Bits;
#define BIAS 1023
#define MANTISSA 52
#define LOW (-746.0)
#define HIGH 709.9
INLINE F reduced(F x, F n) {
  return __builtin_fma(n, -1.90821492927058770002e-10, __builtin_fma(n, -6.93147180369123816490e-1, x));
}
INLINE F nearest(F x) { return __builtin_rint(x * 1.4426950408889634074); }
INLINE F expm1_near_zero(F r) {
  F p = 1.0 / 6227020800.0;
  p = __builtin_fma(p, r, 1.0 / 479001600.0);
  p = __builtin_fma(p, r, 1.0 / 39916800.0);
  p = __builtin_fma(p, r, 1.0 / 3628800.0);
  p = __builtin_fma(p, r, 1.0 / 362880.0);
  p = __builtin_fma(p, r, 1.0 / 40320.0);
  p = __builtin_fma(p, r, 1.0 / 5040.0);
  p = __builtin_fma(p, r, 1.0 / 720.0);
  p = __builtin_fma(p, r, 1.0 / 120.0);
  p = __builtin_fma(p, r, 1.0 / 24.0);
  p = __builtin_fma(p, r, 1.0 / 6.0);
  p = __builtin_fma(p, r, 0.5);
  return __builtin_fma(p, r * r, r);
}
#define LIBM(name) __builtin_##name
#endif

INLINE Bits whole(F n) { return (Bits)(n != n ? F(0) : n); }
INLINE F power_of_two(Bits k) {
  Bits bits = (k + BIAS) << MANTISSA;
  F result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

INLINE F scaled_exp(F y) {  // y >= LOW; scaled in two steps: runs into 0 through the denormals
  F n = nearest(y);
  Bits k = whole(n), half = k >> 1;
  return (expm1_near_zero(reduced(y, n)) + F(1)) * power_of_two(half) * power_of_two(k - half);
}
// exp of y <= HIGH. What is too small for any number is set aside first: a result that underflows costs as much as
// a hundred others.
INLINE F low_exp(F y) {
  const bool gone = y < F(LOW);
  return scaled_exp(gone ? F(0) : y) * (gone ? F(0) : F(1));  // no choice of a constant: GCC would follow it up
}
INLINE F op_exp(F x) { return low_exp(x > F(HIGH) ? F(HIGH) : x); }
INLINE F op_sigmoid(F x) {
  F e = low_exp(x < F(0) ? x : -x);
  return (x < F(0) ? e : F(1)) / (F(1) + e);
}
INLINE F op_tanh(F x) {  // -E / (2 + E) with E = expm1(-2 |x|), which loses nothing near zero
  F y = LIBM(fabs)(x) * F(-2);
  y = y < F(-60) ? F(-60) : y;
  F n = nearest(y);
  F scale = power_of_two(whole(n));
  F e = LIBM(fma)(expm1_near_zero(reduced(y, n)), scale, scale - F(1));
  return LIBM(copysign)(-e / (F(2) + e), x);
}
#ifdef SINGLE
INLINE F log_of(F x) {  // x > 0 and normal; Cephes' logf
  int32_t bits;
  memcpy(&bits, &x, 4);
  int32_t e = (bits - 0x3f3504f3) >> 23;  // so that the mantissa lies within sqrt(1/2) and sqrt(2)
  bits -= e << 23;
  F m;
  memcpy(&m, &bits, 4);
  m -= 1.0f;
  F p = 7.0376836292e-2f;
  p = __builtin_fmaf(p, m, -1.1514610310e-1f);
  p = __builtin_fmaf(p, m, 1.1676998740e-1f);
  p = __builtin_fmaf(p, m, -1.2420140846e-1f);
  p = __builtin_fmaf(p, m, 1.4249322787e-1f);
  p = __builtin_fmaf(p, m, -1.6668057665e-1f);
  p = __builtin_fmaf(p, m, 2.0000714765e-1f);
  p = __builtin_fmaf(p, m, -2.4999993993e-1f);
  p = __builtin_fmaf(p, m, 3.3333331174e-1f);
  F z = m * m, n = (F)e;
  F y = __builtin_fmaf(n, -2.12194440e-4f, p * m * z);
  return __builtin_fmaf(n, 0.693359375f, m + __builtin_fmaf(-0.5f, z, y));
}
INLINE F op_log1p(F x) {
  F u = 1.0f + x;
  F inside = u > 0.0f ? u : 1.0f;
  inside = inside <= 3.40282347e38f ? inside : 1.0f;
  F near = log_of(inside) + (x - (inside - 1.0f)) / inside;  // with what was lost in 1 + x
  F far = (u - inside) * 3.40282347e38f * 3.40282347e38f;    // 0 inside; else -inf at u = 0, inf or NaN as u is
  return __builtin_copysignf(near + far + (u < 0.0f ? __builtin_nanf("") : 0.0f), x);
}
#else
INLINE F op_log1p(F x) { return LIBM(log1p)(x); }
#endif
INLINE F op_log(F x) { return LIBM(log)(x); }
INLINE F op_expm1(F x) { return LIBM(expm1)(x); }
INLINE F op_sqrt(F x) { return LIBM(sqrt)(x); }
INLINE F op_sin(F x) { return LIBM(sin)(x); }
INLINE F op_cos(F x) { return LIBM(cos)(x); }
INLINE F op_erf(F x) { return LIBM(erf)(x); }
INLINE F op_abs(F x) { return LIBM(fabs)(x); }
INLINE F op_sign(F x) { return F(x > F(0)) - F(x < F(0)); }
INLINE F op_maximum(F a, F b) { return a > b || a != a ? a : b; }
INLINE F op_minimum(F a, F b) { return a < b || a != a ? a : b; }

// Where the rows of a value lie: those before `back` at `start`, the others at `base`.
struct Rows {
  F *base, *start;
  int64_t apart, back;
};
INLINE Rows beside(Rows rows, int64_t columns) { return {rows.base + columns, rows.start + columns, rows.apart, rows.back}; }
typedef void (*Product)(int64_t, const int64_t*, int64_t, int64_t, const Rows*, const F*, const Rows*, int64_t);
typedef void (*Pack)(int64_t, int64_t, const F*, int64_t, int64_t, F*, int64_t, int64_t, int64_t);
typedef void (*Turned)(int64_t, const int64_t*, int64_t, int64_t, const Rows*, const Rows*, F*, int64_t, F*);

// c (rows of N) = [c +] a (rows of K) times a packed matrix that is block-diagonal in so many heads.
static inline void multiply(Product product, int64_t panel, int64_t heads, int64_t count, const int64_t* rows, int64_t N,
                            int64_t K, Rows a, const F* packed, Rows c, int64_t adds) {
  N /= heads, K /= heads;
  const int64_t size = (N + panel - 1) / panel * panel * K;
  for (int64_t n = 0; n < heads; n++) {
    const Rows from = beside(a, n * K), to = beside(c, n * N);
    product(count, rows, N, K, &from, packed + n * size, &to, adds);
  }
}
// Packs such a matrix, (heads, M / heads, N / heads), for products with what it multiplies: as the rows from `column` on of
// a packed one.
static inline void pack_turned(Pack pack, int64_t panel, int64_t heads, int64_t M, int64_t N, const F* matrix, F* packed,
                               int64_t column) {
  M /= heads, N /= heads;
  for (int64_t n = 0; n < heads; n++)
    pack(N, M, matrix + n * M * N, 1, N, packed + n * ((M + panel - 1) / panel * panel * N), 0, N, column);
}
// The same for products with the gradients of its results; `rows` has the packed one in all.
static inline void pack_plain(Pack pack, int64_t panel, int64_t heads, int64_t M, int64_t N, const F* matrix, F* packed,
                              int64_t row, int64_t rows) {
  M /= heads, N /= heads, rows /= heads;
  for (int64_t n = 0; n < heads; n++)
    pack(M, N, matrix + n * M * N, N, 1, packed + n * ((N + panel - 1) / panel * panel * M), row, rows, 0);
}
// Adds the gradient of such a matrix, (heads, M / heads, N / heads), over the numbered rows of d and x.
static inline void learn(Turned turned, int64_t heads, int64_t count, const int64_t* rows, int64_t M, int64_t N, Rows d,
                         Rows x, F* gradient, int64_t adds, F* room) {
  M /= heads, N /= heads;
  for (int64_t n = 0; n < heads; n++) {
    const Rows of = beside(d, n * M), by = beside(x, n * N);
    turned(count, rows, M, N, &of, &by, gradient + n * M * N, adds, room);
  }
}
// How far the sequences from first to end, in the order of falling lengths, still run at step t.
static inline int64_t running(const int64_t* active, int64_t t, int64_t first, int64_t end) {
  if (!active || active[t] >= end) return end;
  return active[t] < first ? first : active[t];
}
static inline void copy(F* to, const F* from, int64_t count) {
  if (count) memcpy(to, from, count * sizeof(F));
}
// Numbers the rows of the steps from t to `until` whose sequences, of those from first to end, still run.
static inline int64_t numbered(const int64_t* active, int64_t t, int64_t until, int64_t batch, int64_t first,
                               int64_t end, int64_t* rows) {
  int64_t count = 0;
  for (; t < until; t++) {
    const int64_t stop = running(active, t, first, end);
    for (int64_t b = first; b < stop; b++) rows[count++] = t * batch + b;
  }
  return count;
}
// Copies rows of states, begun anew at `init` where the sequence restarts and still runs.
static inline void begin_anew(F* to, const F* from, const uint8_t* restarts, int64_t first, int64_t stop,
                              int64_t end, int64_t size, F init) {
  copy(to + first * size, from + first * size, (end - first) * size);
  for (int64_t b = first; b < stop; b++)
    if (restarts[b])
      for (int64_t k = b * size; k < (b + 1) * size; k++) to[k] = init;
}
static inline void clear(F* to, int64_t count) {
  if (count) memset(to, 0, count * sizeof(F));
}
// Adds the gradients of a delayed path before each of the following steps' rows to those after the rows of these.
static inline void join(F* both, int64_t batch, int64_t steps, int64_t count, const int64_t* rows, int64_t size) {
  for (int64_t i = 0; i < count; i++) {
    const int64_t r = rows[i] + batch;
    if (r < steps * batch)
      for (int64_t k = 0; k < size; k++) both[((steps - 1) * batch + r) * size + k] += both[r * size + k];
  }
}
// Clears the rows of gradients whose sequence restarts: nothing flows back across it.
static inline void cut(F* rows, const uint8_t* restarts, int64_t first, int64_t stop, int64_t size) {
  for (int64_t b = first; b < stop; b++)
    if (restarts[b]) clear(rows + b * size, size);
}
// Sums of few numbers are added to those of many, which costs less precision than one long sum.
static inline void gather(F* gathered, int64_t count) {
  for (int64_t k = 0; k < count; k++) gathered[count + k] += gathered[k], gathered[k] = 0;
}
