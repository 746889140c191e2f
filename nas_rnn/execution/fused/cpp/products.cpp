// Matrix products of a step: few rows times a matrix that stays the same for the whole sequence, and so is
// packed once, into panels of as many columns as the registers of one block of results hold.
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

// c (M rows of N) = [c +] a (M rows of K) times one panel; N <= PANEL columns are kept. a's numbers lie `down` apart
// from row to row, and `along` from column to column.
template <int M, int NV>
static inline __attribute__((always_inline)) void block(int64_t K, const F* a, int64_t down, int64_t along,
                                                        const F* panel, F* c, int64_t ldc, int adds, int keep) {
  V sum[M][NV];
  const bool full = keep == NV * LANES;
  F edge[M][NV * LANES];
  if (adds && !full)
    for (int m = 0; m < M; m++) {
      memset(edge[m], 0, sizeof edge[m]);
      memcpy(edge[m], c + m * ldc, keep * sizeof(F));
    }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++)
      sum[m][v] = !adds ? V{} : full ? *(const V*)(c + m * ldc + v * LANES) : *(const V*)(edge[m] + v * LANES);
  for (int64_t k = 0; k < K; k++) {
    V w[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) {
      w[v] = *(const V*)(panel + k * PANEL + v * LANES);
      HOLD(w[v]);
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; m++) {
      const F x = a[m * down + k * along];
#pragma GCC unroll 4
      for (int v = 0; v < NV; v++) sum[m][v] += x * w[v];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; v++) *(V*)(full ? c + m * ldc + v * LANES : edge[m] + v * LANES) = sum[m][v];
    if (!full) memcpy(c + m * ldc, edge[m], keep * sizeof(F));
  }
}

// A block of so many rows (at most the template's), at the least cost.
template <int M, int NV>
static inline void rows_of(int rows, int64_t K, const F* a, int64_t lda, const F* panel, F* c, int64_t ldc, int adds,
                           int keep) {
  if (rows == M)
    block<M, NV>(K, a, lda, 1, panel, c, ldc, adds, keep);
  else if constexpr (M > 1)
    rows_of<M - 1, NV>(rows, K, a, lda, panel, c, ldc, adds, keep);
}

template <int NV>
static void panel_product(int64_t M, int64_t K, const F* a, int64_t lda, const F* panel, F* c, int64_t ldc,
                          int adds, int keep) {
  for (int64_t m = 0; m < M;) {
    const int64_t left = M - m;  // low blocks leave registers idle, so the last two are of one height
    const int rows = (int)(left >= 2 * ROWS || left == ROWS ? ROWS : left > ROWS ? (left + 1) / 2 : left);
    rows_of<ROWS, NV>(rows, K, a + m * lda, lda, panel, c + m * ldc, ldc, adds, keep);
    m += rows;
  }
}

// A function of a cell over its rows in parts, each with room of its own.
typedef void (*Part)(const void*, int64_t, int64_t, F*, F*);
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
    s.function(s.call, s.rows * k / s.parts, s.rows * (k + 1) / s.parts, s.gathered + k * s.gathered_apart,
               s.spilled + k * s.spilled_apart);
}

extern "C" {
int64_t panel_columns() { return PANEL; }

// Runs the parts on the threads of the OpenMP whose function is given.
void share_out(void (*parallel)(void (*)(void*), void*, unsigned, unsigned), Shares* shares) {
  parallel(work, shares, (unsigned)shares->parts, 0);
}

// c (M x N, rows ldc apart) = [c +] a (M x K, rows lda apart) times the packed matrix.
void product(int64_t M, int64_t N, int64_t K, const F* a, int64_t lda, const F* packed, F* c, int64_t ldc,
             int64_t adds) {
  for (int64_t n = 0; n < N; n += PANEL) {
    const F* panel = packed + n * K;
    const int keep = (int)(N - n < PANEL ? N - n : PANEL);
    if (VECTORS > 2 && keep > 2 * LANES)
      panel_product<VECTORS>(M, K, a, lda, panel, c + n, ldc, (int)adds, keep);
    else if (keep > LANES)
      panel_product<2>(M, K, a, lda, panel, c + n, ldc, (int)adds, keep);
    else
      panel_product<1>(M, K, a, lda, panel, c + n, ldc, (int)adds, keep);
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
    for (int64_t k = 0; k < K; k++)
      for (int64_t w = 0; w < left; w++) to[k * PANEL + w] = from[k * step_k + w * step_n];
    n += left;
  }
}
}
