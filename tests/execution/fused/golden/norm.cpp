namespace norm {
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
  F* matrix_0;
  F* grad_0;
  int64_t size_0;
  F* matrix_1;
  F* grad_1;
  int64_t size_1;
};
static void forward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  const F v0 = c.learned[3 * H + 0 * I + 0];
  const F v1 = F(1 * H + 0 * I);
  const F v11 = F(1e-05);
  const F v14 = F(1.0);
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = c.slots + (r * 1 + 0) * H;
    F* p1 = c.learned + 0 * H + 0 * I + 0;
    F* p2 = c.learned + 1 * H + 0 * I + 0;
    F* p3 = c.learned + 2 * H + 0 * I + 0;
    F* p4 = c.new_0 + r * H;
    F* s4 = spilled + 0 * (H > I ? H : I);
    F* s7 = spilled + 1 * (H > I ? H : I);
    F v5 = 0;
#pragma omp simd reduction(+ : v5)
    for (int64_t j = 0; j < H; j++) {
      const F v2 = p0[j];
      const F v3 = p1[j];
      const F v4 = v2 + v3;
      s4[j] = v4;
      v5 += v4;
    }
    const F v6 = v5 / v1;
    *(c.moments + r * 2 + 0) = v6;
    F v9 = 0;
#pragma omp simd reduction(+ : v9)
    for (int64_t j = 0; j < H; j++) {
      const F v4 = s4[j];
      const F v7 = v4 - v6;
      const F v8 = v7 * v7;
      s7[j] = v7;
      v9 += v8;
    }
    const F v10 = v9 / v1;
    const F v12 = v10 + v11;
    const F v13 = op_sqrt(v12);
    const F v15 = v14 / v13;
    *(c.moments + r * 2 + 1) = v15;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v7 = s7[j];
      const F v16 = p2[j];
      const F v17 = p3[j];
      const F v18 = v7 * v15;
      const F v19 = v16 * v18;
      const F v20 = v17 + v19;
      const F v21 = v0 * v20;
      const F v22 = op_tanh(v21);
      p4[j] = v22;
    }
  }
}
static void backward_2(const Call& c, int64_t t, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  const F v4 = F(1.0);
  const F v20 = c.learned[3 * H + 0 * I + 0];
  const F v24 = F(1 * H + 0 * I);
  for (int64_t b = first; b < end; b++) {
    const int64_t r = t * B + b;
    F* p0 = c.d_state_0 + (t & 1) * B * H + b * H;
    F* p1 = c.d_output + r * H;
    F* p2 = c.new_0 + r * H;
    F* p3 = c.slots + (r * 1 + 0) * H;
    F* p4 = c.learned + 0 * H + 0 * I + 0;
    F* p5 = c.learned + 1 * H + 0 * I + 0;
    F* p6 = c.learned + 2 * H + 0 * I + 0;
    F* s16 = spilled + 0 * (H > I ? H : I);
    F* s23 = spilled + 1 * (H > I ? H : I);
    const F v8 = *(c.moments + r * 2 + 0);
    const F v9 = *(c.moments + r * 2 + 1);
    F v25 = 0;
    F v28 = 0;
    F n2 = 0;
#pragma omp simd reduction(+ : v25, v28, n2)
    for (int64_t j = 0; j < H; j++) {
      const F v0 = p0[j];
      const F v1 = p1[j];
      const F v2 = v0 + v1;
      const F v3 = p2[j];
      const F v5 = v3 * v3;
      const F v6 = v4 - v5;
      const F v7 = v2 * v6;
      const F v10 = p3[j];
      const F v11 = p4[j];
      const F v12 = v10 + v11;
      const F v13 = v12 - v8;
      const F v14 = p5[j];
      const F v15 = p6[j];
      const F v16 = v9 * v13;
      const F v17 = v14 * v16;
      const F v18 = v15 + v17;
      const F v19 = v7 * v18;
      const F v21 = v7 * v20;
      const F v22 = v16 * v21;
      const F v23 = v14 * v21;
      const F v27 = v16 * v23;
      s16[j] = v16;
      s23[j] = v23;
      v25 += v23;
      v28 += v27;
      gathered[1 * H + 0 * I + 0 + j] += v22;
      gathered[2 * H + 0 * I + 0 + j] += v21;
      n2 += v19;
    }
    gathered[3 * H + 0 * I + 0] += n2;
    const F v26 = v25 / v24;
    const F v29 = v28 / v24;
#pragma omp simd
    for (int64_t j = 0; j < H; j++) {
      const F v16 = s16[j];
      const F v23 = s23[j];
      const F v30 = v16 * v29;
      const F v31 = v26 + v30;
      const F v32 = v23 - v31;
      const F v33 = v9 * v32;
      p3[j] = v33;
      gathered[0 * H + 0 * I + 0 + j] += v33;
    }
  }
}
static void pack_forward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  pack_turned(c.pack, c.panel, 1, 1 * H, I, c.matrix_0, c.packed_0, 0 * H);
  pack_turned(c.pack, c.panel, 1, 1 * H, H, c.matrix_1, c.packed_2, 0 * H);
}
static void pack_backward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  if (c.d_x_needed) pack_plain(c.pack, c.panel, 1, 1 * H, I, c.matrix_0, c.packed_1, 0 * H, 1 * H);
  pack_plain(c.pack, c.panel, 1, 1 * H, H, c.matrix_1, c.packed_3, 0 * H, 1 * H);
}
static void forward(const Call& c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  const int64_t B = c.batch, I = c.input_size, H = c.hidden_size;
  int64_t* rows = (int64_t*)(spilled + c.spilled);
  F* room = (F*)(rows + c.chunk * (end - first));
  for (int64_t t0 = 0; t0 < c.steps; t0 += c.chunk) {
    const int64_t until = t0 + c.chunk < c.steps ? t0 + c.chunk : c.steps;
    const int64_t count = numbered(c.active, t0, until, B, first, end, rows);
    multiply(c.product, c.panel, 1, count, rows, 1 * H, I, Rows{c.x, 0, I, 0}, c.packed_0, Rows{c.slots + 0 * H, 0, 1 * H, 0}, 0);
    for (int64_t t = t0; t < until; t++) {
      const int64_t stop = running(c.active, t, first, end);
      if (c.marks && c.marks[t]) begin_anew(c.before_0 + t * B * H, (t ? c.new_0 + (t - 1) * B * H : c.start_0), c.restarts + t * B, first, stop, end, H, F(0.0));
      multiply(c.product, c.panel, 1, stop - first, 0, 1 * H, H, Rows{(c.marks && c.marks[t] ? c.before_0 + t * B * H : (t ? c.new_0 + (t - 1) * B * H : c.start_0)) + first * H, 0, H, 0}, c.packed_2, Rows{c.slots + (t * B + first) * 1 * H + 0 * H, 0, 1 * H, 0}, 1);
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
      multiply(c.product, c.panel, 1, stop - first, 0, H, 1 * H, Rows{c.slots + (t * B + first) * 1 * H + 0 * H, 0, 1 * H, 0}, c.packed_3, Rows{c.d_state_0 + ((t + 1) & 1) * B * H + first * H, 0, H, 0}, 0);
      copy(c.d_state_0 + ((t + 1) & 1) * B * H + stop * H, c.d_state_0 + (t & 1) * B * H + stop * H, (end - stop) * H);
      if (c.marks && c.marks[t]) cut(c.d_state_0 + ((t + 1) & 1) * B * H, c.restarts + t * B, first, stop, H);
      gather(gathered, 3 * H + 0 * I + 1);
    }
    const int64_t count = numbered(c.active, t0, until, B, first, end, rows);
    if (c.d_x_needed) multiply(c.product, c.panel, 1, count, rows, I, 1 * H, Rows{c.slots + 0 * H, 0, 1 * H, 0}, c.packed_1, Rows{c.d_x + (0) * I, 0, I, 0}, 0);
    if (c.grad_0) learn(c.turned, 1, count, rows, 1 * H, I, Rows{c.slots + 0 * H, 0, 1 * H, 0}, Rows{c.x, 0, I, 0}, c.grad_0 + part * c.size_0, until < c.steps, room);
    if (c.grad_1) learn(c.turned, 1, count, rows, 1 * H, H, Rows{c.slots + 0 * H, 0, 1 * H, 0}, (c.marks ? Rows{c.before_0, 0, H, 0} : Rows{c.new_0, c.start_0, H, B}), c.grad_1 + part * c.size_1, until < c.steps, room);
  }
}
}  // namespace
extern "C" {
void norm_pack_forward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  norm::pack_forward(*(const norm::Call*)c, part, first, end, gathered, spilled);
}
void norm_pack_backward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  norm::pack_backward(*(const norm::Call*)c, part, first, end, gathered, spilled);
}
void norm_forward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  norm::forward(*(const norm::Call*)c, part, first, end, gathered, spilled);
}
void norm_backward(const void* c, int64_t part, int64_t first, int64_t end, F* gathered, F* spilled) {
  norm::backward(*(const norm::Call*)c, part, first, end, gathered, spilled);
}
}
