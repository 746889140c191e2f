namespace gru {
struct Call {
  int64_t steps, batch, input_size, hidden_size, panel, chunk, spilled, d_x_needed;
  Product product;
  Turned turned;
  Pack pack;
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
  F* packed_2;
  F* packed_3;
  F* packed_4;
  F* matrix_0;
  F* grad_0;
  int64_t size_0;
  F* matrix_1;
  F* grad_1;
  int64_t size_1;
};
static void forward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  const F v19 = F(1.0);
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = (c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + b * H;
    F* p1 = c.slots + (r * 4 + 2) * H;
    F* p2 = c.learned + 3 * H + 0 * I + 0;
    F* p3 = c.slots + (r * 4 + 0) * H;
    F* p4 = c.learned + 0 * H + 0 * I + 0;
    F* p5 = c.slots + (r * 4 + 3) * H;
    F* p6 = c.learned + 1 * H + 0 * I + 0;
    F* p7 = c.slots + (r * 4 + 1) * H;
    F* p8 = c.learned + 2 * H + 0 * I + 0;
    F* p9 = c.new_0 + r * H;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v0 = p0[j];
      const F v1 = p1[j];
      const F v2 = p2[j];
      const F v3 = v1 + v2;
      const F v4 = op_sigmoid(v3);
      const F v5 = v0 * v4;
      const F v6 = p3[j];
      const F v7 = p4[j];
      const F v8 = v6 + v7;
      const F v9 = p5[j];
      const F v10 = p6[j];
      const F v11 = v9 + v10;
      const F v12 = p7[j];
      const F v13 = p8[j];
      const F v14 = v12 + v13;
      const F v15 = op_sigmoid(v14);
      const F v16 = v11 * v15;
      const F v17 = v8 + v16;
      const F v18 = op_tanh(v17);
      const F v20 = v19 - v4;
      const F v21 = v18 * v20;
      const F v22 = v5 + v21;
      p9[j] = v22;
      p7[j] = v15;
      p1[j] = v4;
    }
  }
}
static void backward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  const F v3 = F(1.0);
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = c.d_state_0 + (t & 1) * B * H + b * H;
    F* p1 = c.d_output + r * H;
    F* p2 = c.slots + (r * 4 + 2) * H;
    F* p3 = c.slots + (r * 4 + 0) * H;
    F* p4 = c.learned + 0 * H + 0 * I + 0;
    F* p5 = c.slots + (r * 4 + 3) * H;
    F* p6 = c.learned + 1 * H + 0 * I + 0;
    F* p7 = c.slots + (r * 4 + 1) * H;
    F* p8 = (c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + b * H;
    F* p9 = c.d_state_0 + ((t + 1) & 1) * B * H + b * H;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v0 = p0[j];
      const F v1 = p1[j];
      const F v2 = v0 + v1;
      const F v4 = p2[j];
      const F v5 = v3 - v4;
      const F v6 = v2 * v5;
      const F v7 = p3[j];
      const F v8 = p4[j];
      const F v9 = v7 + v8;
      const F v10 = p5[j];
      const F v11 = p6[j];
      const F v12 = v10 + v11;
      const F v13 = p7[j];
      const F v14 = v12 * v13;
      const F v15 = v9 + v14;
      const F v16 = op_tanh(v15);
      const F v17 = v2 * v16;
      const F v18 = -v17;
      const F v19 = v2 * v4;
      const F v20 = p8[j];
      const F v21 = v2 * v20;
      const F v22 = v18 + v21;
      const F v23 = v4 * v5;
      const F v24 = v22 * v23;
      const F v25 = v16 * v16;
      const F v26 = v3 - v25;
      const F v27 = v6 * v26;
      const F v28 = v13 * v27;
      const F v29 = v12 * v27;
      const F v30 = v3 - v13;
      const F v31 = v13 * v30;
      const F v32 = v29 * v31;
      p3[j] = v27;
      gathered[0 * H + 0 * I + 0 + j] += v27;
      p7[j] = v32;
      gathered[2 * H + 0 * I + 0 + j] += v32;
      p2[j] = v24;
      gathered[3 * H + 0 * I + 0 + j] += v24;
      p5[j] = v28;
      gathered[1 * H + 0 * I + 0 + j] += v28;
      p9[j] = v19;
    }
  }
}
static void pack_forward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  pack_turned(c.pack, c.panel, 1, 3 * H, I, c.matrix_0, c.packed_0, 0 * H);
  pack_turned(c.pack, c.panel, 1, 2 * H, H, c.matrix_1 + 1 * H * H, c.packed_2, 0 * H);
  pack_turned(c.pack, c.panel, 1, 1 * H, H, c.matrix_1, c.packed_3, 0 * H);
}
static void pack_backward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  if (c.d_x_needed) pack_plain(c.pack, c.panel, 1, 3 * H, I, c.matrix_0, c.packed_1, 0 * H, 3 * H);
  pack_plain(c.pack, c.panel, 1, 2 * H, H, c.matrix_1 + 1 * H * H, c.packed_4, 0 * H, 3 * H);
  pack_plain(c.pack, c.panel, 1, 1 * H, H, c.matrix_1, c.packed_4, 2 * H, 3 * H);
}
static void forward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  int64_t* rows = (int64_t*)(spilled + c.spilled);
  F* room = (F*)(rows + c.chunk * (end - first));
  for (int64_t t0 = 0; t0 < c.steps; t0 += c.chunk) {
    const int64_t until = t0 + c.chunk < c.steps ? t0 + c.chunk : c.steps;
    const int64_t count = numbered(c.active, t0, until, B, first, end, rows);
    multiply(c.product, c.panel, 1, count, rows, 3 * H, I, Rows{c.x, 0, I, 0}, c.packed_0, Rows{c.slots + 0 * H, 0, 4 * H, 0}, 0);
    for (int64_t t = t0; t < until; t++) {
      const int64_t stop = running(c.active, t, first, end);
      if (c.marks && c.marks[t]) begin_anew(c.before_0 + t * B * H, (t ? c.new_0 + (t - 1) * B * H : c.start_0), c.restarts + t * B, first, stop, end, H, F(0.0));
      multiply(c.product, c.panel, 1, stop - first, 0, 2 * H, H, Rows{(c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + first * H, 0, H, 0}, c.packed_2, Rows{c.slots + (t * B + first) * 4 * H + 1 * H, 0, 4 * H, 0}, 1);
      multiply(c.product, c.panel, 1, stop - first, 0, 1 * H, H, Rows{(c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + first * H, 0, H, 0}, c.packed_3, Rows{c.slots + (t * B + first) * 4 * H + 3 * H, 0, 4 * H, 0}, 0);
      forward_2(c, t, first, stop, gathered, spilled);
      copy(c.new_0 + (t * B + stop) * H, (c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + stop * H, (end - stop) * H);
    }
  }
}
static void backward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  int64_t* rows = (int64_t*)(spilled + c.spilled);
  F* room = (F*)(rows + c.chunk * (end - first));
  for (int64_t t0 = (c.steps - 1) / c.chunk * c.chunk; t0 >= 0; t0 -= c.chunk) {
    const int64_t until = t0 + c.chunk < c.steps ? t0 + c.chunk : c.steps;
    for (int64_t t = until - 1; t >= t0; t--) {
      const int64_t stop = running(c.active, t, first, end);
      backward_2(c, t, first, stop, gathered, spilled);
      multiply(c.product, c.panel, 1, stop - first, 0, H, 3 * H, Rows{c.slots + (t * B + first) * 4 * H + 1 * H, 0, 4 * H, 0}, c.packed_4, Rows{c.d_state_0 + ((t + 1) & 1) * B * H + first * H, 0, H, 0}, 1);
      copy(c.d_state_0 + ((t + 1) & 1) * B * H + stop * H, c.d_state_0 + (t & 1) * B * H + stop * H, (end - stop) * H);
      if (c.marks && c.marks[t]) cut(c.d_state_0 + ((t + 1) & 1) * B * H, c.restarts + t * B, first, stop, H);
      gather(gathered, 4 * H + 0 * I + 0);
    }
    const int64_t count = numbered(c.active, t0, until, B, first, end, rows);
    if (c.d_x_needed) multiply(c.product, c.panel, 1, count, rows, I, 3 * H, Rows{c.slots + 0 * H, 0, 4 * H, 0}, c.packed_1, Rows{c.d_x + (0) * I, 0, I, 0}, 0);
    if (c.grad_0) learn(c.turned, 1, count, rows, 3 * H, I, Rows{c.slots + 0 * H, 0, 4 * H, 0}, Rows{c.x, 0, I, 0}, c.grad_0 + part * c.size_0, until < c.steps, room);
    if (c.grad_1) learn(c.turned, 1, count, rows, 2 * H, H, Rows{c.slots + 1 * H, 0, 4 * H, 0}, (c.marks ? Rows{c.before_0, 0, H, 0} : Rows{c.new_0, c.start_0, H, B}), c.grad_1 + 1 * H * H + part * c.size_1, until < c.steps, room);
    if (c.grad_1) learn(c.turned, 1, count, rows, 1 * H, H, Rows{c.slots + 3 * H, 0, 4 * H, 0}, (c.marks ? Rows{c.before_0, 0, H, 0} : Rows{c.new_0, c.start_0, H, B}), c.grad_1 + part * c.size_1, until < c.steps, room);
  }
}
}  // namespace
extern "C" {
void gru_pack_forward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  gru::pack_forward(*(const gru::Call*)c, part, first, end, gathered, spilled);
}
void gru_pack_backward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  gru::pack_backward(*(const gru::Call*)c, part, first, end, gathered, spilled);
}
void gru_forward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  gru::forward(*(const gru::Call*)c, part, first, end, gathered, spilled);
}
void gru_backward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  gru::backward(*(const gru::Call*)c, part, first, end, gathered, spilled);
}
}
