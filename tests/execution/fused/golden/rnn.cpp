namespace rnn {
struct Call {
  int64_t steps, batch, input_size, hidden_size, panel;
  Product product;
  const int64_t* active;
  const uint8_t* marks;
  const uint8_t* restarts;
  F* x;
  F* learned;
  F* slots;
  F* moments;
  F* start_0;
  F* new_0;
  F* before_0;
  F* d_x;
  F* d_output;
  F* d_state_0;
  F* packed_0;
  F* packed_1;
};
static void forward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = c.slots + (r * 1 + 0) * H;
    F* p1 = c.learned + 0 * H + 0 * I + 0;
    F* p2 = c.new_0 + r * H;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v0 = p0[j];
      const F v1 = p1[j];
      const F v2 = v0 + v1;
      const F v3 = op_tanh(v2);
      p2[j] = v3;
    }
  }
}
static void backward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  const F v4 = F(1.0);
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = c.d_state_0 + (t & 1) * B * H + b * H;
    F* p1 = c.d_output + r * H;
    F* p2 = c.new_0 + r * H;
    F* p3 = c.slots + (r * 1 + 0) * H;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v0 = p0[j];
      const F v1 = p1[j];
      const F v2 = v0 + v1;
      const F v3 = p2[j];
      const F v5 = v3 * v3;
      const F v6 = v4 - v5;
      const F v7 = v2 * v6;
      p3[j] = v7;
      gathered[0 * H + 0 * I + 0 + j] += v7;
    }
  }
}
static void forward(const Call& c, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  for (int64_t t = 0; t < c.steps; t++) {
    const int64_t stop = running(c.active, t, first, end);
    if (c.marks && c.marks[t]) begin_anew(c.before_0 + t * B * H, (t ? c.new_0 + (t - 1) * B * H : c.start_0), c.restarts + t * B, first, stop, end, H, F(0.0));
    multiply(c.product, c.panel, 1, stop - first, 1 * H, H, (c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + first * H, H, c.packed_0, c.slots + ((t * B + first) * 1 + 0) * H, 1 * H, 1);
    forward_2(c, t, first, stop, gathered, spilled);
    copy(c.new_0 + (t * B + stop) * H, (c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + stop * H, (end - stop) * H);
  }
}
static void backward(const Call& c, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  for (int64_t t = c.steps - 1; t >= 0; t--) {
    const int64_t stop = running(c.active, t, first, end);
    backward_2(c, t, first, stop, gathered, spilled);
    multiply(c.product, c.panel, 1, stop - first, H, 1 * H, c.slots + ((t * B + first) * 1 + 0) * H, 1 * H, c.packed_1, c.d_state_0 + ((t + 1) & 1) * B * H + first * H, H, 0);
    copy(c.d_state_0 + ((t + 1) & 1) * B * H + stop * H, c.d_state_0 + (t & 1) * B * H + stop * H, (end - stop) * H);
    if (c.marks && c.marks[t]) cut(c.d_state_0 + ((t + 1) & 1) * B * H, c.restarts + t * B, first, stop, H);
    clear(c.slots + (t * B + stop) * 1 * H, (end - stop) * 1 * H);
    gather(gathered, 1 * H + 0 * I + 0);
  }
}
}  // namespace
extern "C" {
void rnn_forward(const void* c, int64_t first, int64_t end, F* gathered, F* spilled) {
  rnn::forward(*(const rnn::Call*)c, first, end, gathered, spilled);
}
void rnn_backward(const void* c, int64_t first, int64_t end, F* gathered, F* spilled) {
  rnn::backward(*(const rnn::Call*)c, first, end, gathered, spilled);
}
}
