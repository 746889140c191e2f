// Matrix products: rows times a matrix that stays the same for the whole sequence, and so is packed once, into panels
// of as many columns as the registers of one block of results hold; and the gradients of such matrices.
#include <stdint.h>
#include <string.h>

#ifdef SINGLE
typedef float F;
#else
typedef double F;
#endif
#if defined(__AVX512F__)
#define BYTES 64
#define ROWS 8
#define VECTORS 3
#elif defined(__AVX__)
#define BYTES 32
#define ROWS 6
#define VECTORS 2
#elif defined(__aarch64__)
#define BYTES 16
#define ROWS 8
#define VECTORS 3
#else
#define BYTES 16
#define ROWS 4
#define VECTORS 3
#endif
#define LANES ((int)(BYTES / sizeof(F)))
#define PANEL (VECTORS * LANES)
typedef F V __attribute__((vector_size(BYTES), aligned(sizeof(F))));

// Keeps a vector in a register: read from memory by every instruction, it takes half as long again.
#if defined(__x86_64__)
#define HOLD(w) asm("" : "+v"(w))
#elif defined(__aarch64__)
#define HOLD(w) asm("" : "+w"(w))
#else
#define HOLD(w)
#endif

// Where the rows of a value lie: those before `back` at `start`, the others at `base`.
struct Rows {
  F *base, *start;
  int64_t apart, back;
  F* operator[](int64_t r) const { return r < back ? start + r * apart : base + (r - back) * apart; }
};

// to (M rows of N) = [to +] at (M rows of K, whose numbers lie `along` apart) times one panel; of its columns `keep` are
// kept.
template <int M, int NV>
static inline __attribute__((always_inline)) void block(int64_t K, const F* const* at, int64_t along, const F* panel,
                                                        F* const* to, int adds, int keep) {
  V sum[M][NV];
#pragma GCC unroll 8
  for (int m = 0; m < M; m++) {
    __builtin_prefetch(to[m], 1);
    __builtin_prefetch(to[m] + NV * LANES - 1, 1);
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) sum[m][v] = V{};
  }
  for (int64_t k = 0; k < K; k++) {
    V w[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      w[v] = *(const V*)(panel + k * PANEL + v * LANES);
      HOLD(w[v]);
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
      const F x = at[m][k * along];
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sum[m][v] += x * w[v];
    }
  }
  if (keep == NV * LANES) {
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) {
        V* c = (V*)(to[m] + v * LANES);
        *c = adds ? *c + sum[m][v] : sum[m][v];
      }
    return;
  }
  for (int m = 0; m < M; m++) {
    F edge[NV * LANES];
    memcpy(edge, sum[m], sizeof edge);
    for (int n = 0; n < keep; n++) to[m][n] = adds ? to[m][n] + edge[n] : edge[n];
  }
}

// A block of so many rows, at most M, and as many vectors, at most NV, as its columns need.
template <int M, int NV>
static void any_block(int rows, int64_t K, const F* const* at, int64_t along, const F* panel, F* const* to, int adds,
                      int keep) {
  if constexpr (NV > 1)
    if (keep <= (NV - 1) * LANES) return any_block<M, NV - 1>(rows, K, at, along, panel, to, adds, keep);
  if constexpr (M > 1)
    if (rows < M) return any_block<M - 1, NV>(rows, K, at, along, panel, to, adds, keep);
  block<M, NV>(K, at, along, panel, to, adds, keep);
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// How many rows the next block takes. Low blocks leave registers idle, so the last two are of one height.
static inline int height(int64_t left) {
  return (int)(left >= 2 * ROWS || left == ROWS ? ROWS : left > ROWS ? (left + 1) / 2 : left);
}

// `rows` numbers the rows of a and c that take part; without it they are 0 to count.
static inline void panel_product(int64_t count, const int64_t* rows, int64_t K, const Rows& a, const F* panel,
                                 const Rows& c, int64_t n, int adds, int keep) {
  for (int64_t i = 0; i < count;) {
    const int M = height(count - i);
    const F* at[ROWS];
    F* to[ROWS];
    for (int m = 0; m < M; m++) {
      const int64_t r = rows ? rows[i + m] : i + m;
      at[m] = a[r], to[m] = c[r] + n;
    }
    any_block<ROWS, VECTORS>(M, K, at, 1, panel, to, adds, keep);
    i += M;
  }
}

// How many rows, and at most how many of their numbers, are multiplied at a time by one panel after another.
#define SOME (16 * ROWS)
#define WIDTH 416

// How many rows of a sequence are multiplied at a time for a gradient of weights, and how many strips of ROWS columns.
#define DEPTH 256
#define STRIPS 16

// Copies numbered rows of N numbers into panels of W columns each, the last filled up with zeros.
template <int W>
static inline void into_panels(int64_t count, const int64_t* rows, int64_t N, const Rows& from, int64_t n0, F* to) {
  for (int64_t i = 0; i < count; i++, to += W) {
    const F* source = from[rows[i]] + n0;
    int64_t n = 0;
    for (; n + W <= N; n += W) memcpy(to + n * count, source + n, W * sizeof(F));
    if (n < N)
      for (int w = 0; w < W; w++) to[n * count + w] = n + w < N ? source[n + w] : F(0);
  }
}

// Copies `width` rows of K numbers into the columns of a panel: four by four within registers.
static inline void turn(int64_t K, int64_t width, const F* from, int64_t apart, F* to) {
  int64_t w = 0;
#if defined(__clang__) || __GNUC__ >= 12
  typedef F Q __attribute__((vector_size(4 * sizeof(F)), aligned(sizeof(F))));
  for (; w + 4 <= width; w += 4) {
    const F* rows = from + w * apart;
    int64_t k = 0;
    for (; k + 4 <= K; k += 4) {
      const Q a = *(const Q*)(rows + k), b = *(const Q*)(rows + apart + k);
      const Q c = *(const Q*)(rows + 2 * apart + k), d = *(const Q*)(rows + 3 * apart + k);
      const Q ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Q ba = __builtin_shufflevector(a, b, 2, 6, 3, 7), dc = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      F* at = to + k * PANEL + w;
      *(Q*)at = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
      *(Q*)(at + PANEL) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
      *(Q*)(at + 2 * PANEL) = __builtin_shufflevector(ba, dc, 0, 1, 4, 5);
      *(Q*)(at + 3 * PANEL) = __builtin_shufflevector(ba, dc, 2, 3, 6, 7);
    }
    for (; k < K; k++)
      for (int64_t i = 0; i < 4; i++) to[k * PANEL + w + i] = rows[i * apart + k];
  }
#endif
  for (; w < width; w++)
    for (int64_t k = 0; k < K; k++) to[k * PANEL + w] = from[w * apart + k];
}

// A function of a cell over its rows in parts, each with room of its own.
typedef void (*Part)(const void*, int64_t, int64_t, int64_t, F*, F*);
struct Shares {
  Part function;
  const void* call;
  int64_t rows, parts;
  F* gathered;
  int64_t gathered_apart;
  F* spilled;
  int64_t spilled_apart;
  int (*number)();  // of this thread, and how many there are: OpenMP may give fewer than were asked for
  int (*threads)();
};
static void work(void* data) {
  const Shares& s = *(const Shares*)data;
  for (int64_t k = s.number(); k < s.parts; k += s.threads())
    s.function(s.call, k, s.rows * k / s.parts, s.rows * (k + 1) / s.parts, s.gathered + k * s.gathered_apart,
               s.spilled + k * s.spilled_apart);
}

extern "C" {
int64_t panel_columns() { return PANEL; }

// Runs the parts on the threads of the OpenMP whose function is given.
void share_out(void (*parallel)(void (*)(void*), void*, unsigned, unsigned), Shares* shares) {
  parallel(work, shares, (unsigned)shares->parts, 0);
}

// c (rows of N numbers) = [c +] a (rows of K) times the packed matrix, for the numbered rows, or the first `count`.
void product(int64_t count, const int64_t* rows, int64_t N, int64_t K, const Rows* a, const F* packed, const Rows* c,
             int64_t adds) {
  const int64_t pieces = (K + WIDTH - 1) / WIDTH, width = (K + pieces - 1) / pieces;
  for (int64_t i = 0; i < count; i += SOME) {
    const int64_t some = least(SOME, count - i), first = rows ? 0 : i;
    for (int64_t k = 0; k < K; k += width)
      for (int64_t n = 0; n < N; n += PANEL)
        panel_product(some, rows ? rows + i : 0, least(width, K - k), {a->base + first * a->apart + k, a->start + k, a->apart, a->back},
                      packed + n * K + k * PANEL, {c->base + first * c->apart, c->start, c->apart, c->back}, n, adds || k,
                      (int)least(PANEL, N - n));
  }
}

// How many numbers `turned` needs for itself, with so many columns.
int64_t room_for(int64_t N) { return DEPTH * (ROWS * STRIPS + (N + PANEL - 1) / PANEL * PANEL); }

// c (M x N) = [c +] the transpose of d (rows of M) times x (rows of N), over the numbered rows: some rows at a time, whose
// columns are copied so that they stay in the caches (Goto & van de Geijn 2008).
void turned(int64_t count, const int64_t* rows, int64_t M, int64_t N, const Rows* d, const Rows* x, F* c, int64_t adds,
            F* room) {
  if (!count && !adds) memset(c, 0, M * N * sizeof(F));
  F *strips = room, *panels = room + DEPTH * ROWS * STRIPS;
  for (int64_t i = 0; i < count; i += DEPTH, adds = 1) {
    const int64_t K = least(DEPTH, count - i);
    into_panels<PANEL>(K, rows + i, N, *x, 0, panels);
    for (int64_t m0 = 0; m0 < M; m0 += ROWS * STRIPS) {
      const int64_t some = least(ROWS * STRIPS, M - m0);
      into_panels<ROWS>(K, rows + i, some, *d, m0, strips);
      for (int64_t n = 0; n < N; n += PANEL)
        for (int64_t m = 0; m < some; m += ROWS) {
          const F* at[ROWS];
          F* to[ROWS];
          F beyond[PANEL];
          for (int k = 0; k < ROWS; k++) {
            at[k] = strips + m * K + k;
            to[k] = m + k < some ? c + (m0 + m + k) * N + n : beyond;
          }
          any_block<ROWS, VECTORS>(ROWS, K, at, ROWS, panels + n * K, to, (int)adds, (int)least(PANEL, N - n));
        }
    }
  }
}

// Packs the K x N matrix source[k * step_k + n * step_n] as rows k0... and columns n0... of a packed matrix
// that has K_all rows.
void pack(int64_t K, int64_t N, const F* source, int64_t step_k, int64_t step_n, F* packed, int64_t k0,
          int64_t K_all, int64_t n0) {
  for (int64_t n = 0; n < N;) {
    const int64_t inside = (n0 + n) % PANEL, left = N - n < PANEL - inside ? N - n : PANEL - inside;
    F* to = packed + ((n0 + n) / PANEL) * K_all * PANEL + k0 * PANEL + inside;
    const F* from = source + n * step_n;
    if (step_k == 1)
      turn(K, left, from, step_n, to);
    else if (step_n == 1 && left == PANEL)
      for (int64_t k = 0; k < K; k++) memcpy(to + k * PANEL, from + k * step_k, PANEL * sizeof(F));
    else
      for (int64_t k = 0; k < K; k++)
        for (int64_t w = 0; w < left; w++) to[k * PANEL + w] = from[k * step_k + w * step_n];
    n += left;
  }
}
}
