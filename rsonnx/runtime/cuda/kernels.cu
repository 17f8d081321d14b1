// Noise on the device: the same words, the same table and the same roundings as rsonnx/noise, so
// that a sample is the same to the last bit on every machine.
//
// The text is the common part of CUDA C and C++. NVRTC compiles it as it stands. With a header that
// defines threadIdx, __umul64hi and the like, a C++ compiler makes a library of it whose threads run
// one after the other; that is how it is tested where there is no card.
//
// Noise is drawn in blocks of `block_values` values. A value's cell is 16 bits of a Philox4x64-10
// word (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011), sixteen
// cells to a counter. Most cells have one outcome. The others, the open ones, are settled by a
// 64-bit word more, and open cell number r of a block takes word number r: so the open cells are
// counted first, in tiles of TILE counters, the counts of the tiles are summed up, and then each
// open cell knows its number.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

#define TILE 64
#define OPEN_CELL (-32768)
#define DIVIDE 1
#define MULTIPLY 2
#define SHIFT 4

struct Words {
  u64 a, b, c, d;
};

// Registers cannot be indexed, so a word is chosen.
__device__ static u64 word_of(const Words& words, u64 number) {
  return number < 2 ? (number == 0 ? words.a : words.b) : (number == 2 ? words.c : words.d);
}

// Return the cell of value `i`, 0..15, of a counter: 16 bits of a word, the lowest first.
__device__ static u64 cell_of(const Words& words, int i) {
  return (word_of(words, (u64)(i / 4)) >> (16 * (i % 4))) & 0xFFFF;
}

// Numpy's generator counts up before each output, so its output number n is of counter n + 1.
__device__ static Words philox(u64 number, u64 block, u64 region, u64 key0, u64 key1) {
  u64 c0 = number + 1, c1 = 0, c2 = block, c3 = region;
  for (int round = 0; round < 10; ++round) {
    const u64 high0 = __umul64hi(0xD2E7470EE14C6C93ULL, c0);
    const u64 low0 = 0xD2E7470EE14C6C93ULL * c0;
    const u64 high1 = __umul64hi(0xCA5A826395121157ULL, c2);
    const u64 low1 = 0xCA5A826395121157ULL * c2;
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 += 0x9E3779B97F4A7C15ULL;
    key1 += 0xBB67AE8584CAA73BULL;
  }
  const Words out = {c0, c1, c2, c3};
  return out;
}

// One rounding a step and never a fused multiply-add: what numpy does in float32.
__device__ static float scaled(int level, u32 steps, float divisor, float factor, float offset) {
  float value = (float)level;
  if (steps & DIVIDE) value = __fdiv_rn(value, divisor);
  if (steps & MULTIPLY) value = __fmul_rn(value, factor);
  if (steps & SHIFT) value = __fadd_rn(value, offset);
  return value;
}

__device__ static i64 thread_number() {
  return (i64)blockIdx.x * (i64)blockDim.x + (i64)threadIdx.x;
}

// Thread t draws the sixteen cells of counter t % groups of block t / groups, writes the values of
// those that have one outcome, and counts the open ones.
//
// Values are numbered from the start of the first block; `begin` <= number < `end` are written, the
// first of them to out[0]. open_cells: (threads,). tiles: (blocks, ceil(groups / TILE)), zero.
extern "C" __global__ void rsonnx_draw(u64 key0, u64 key1, i64 first_block, i64 groups, i64 threads,
                                       i64 block_values, i64 size, i64 begin, i64 end,
                                       const short* outcome, const u8* levels, u32 steps,
                                       float divisor, float factor, float offset, float* out,
                                       u8* open_cells, u32* tiles) {
  const i64 thread = thread_number();
  if (thread >= threads) return;
  const i64 block = thread / groups, group = thread % groups;
  const Words drawn = philox((u64)group, (u64)(first_block + block), 0, key0, key1);
  const i64 here = 16 * group;
  i64 place = here % size;
  u32 open = 0;
  for (int i = 0; i < 16 && here + i < block_values; ++i) {
    const int found = outcome[cell_of(drawn, i)];
    const i64 number = block * block_values + here + i;
    if (found == OPEN_CELL) {
      ++open;
    } else if (number >= begin && number < end) {
      out[number - begin] = scaled(found + (int)levels[place], steps, divisor, factor, offset);
    }
    if (++place == size) place = 0;
  }
  open_cells[thread] = (u8)open;
  if (open) atomicAdd(&tiles[block * ((groups + TILE - 1) / TILE) + group / TILE], open);
}

// Thread b replaces the counts of block b's tiles by the sums of those before them.
extern "C" __global__ void rsonnx_sum(i64 blocks, i64 tiles_a_block, u32* tiles) {
  const i64 block = thread_number();
  if (block >= blocks) return;
  u32 before = 0;
  for (i64 tile = 0; tile < tiles_a_block; ++tile) {
    const u32 count = tiles[block * tiles_a_block + tile];
    tiles[block * tiles_a_block + tile] = before;
    before += count;
  }
}

// Return how many of the thresholds `first` .. `first + inside - 1`, ascending numbers of 80 bits,
// are at most (upper, lower).
__device__ static int passed(const u64* high, const u16* low, int first, int inside, u64 upper,
                             u16 lower) {
  int least = 0, most = inside;
  while (least < most) {
    const int middle = least + (most - least) / 2;
    const u64 h = high[first + middle];
    if (h < upper || (h == upper && low[first + middle] <= lower)) {
      least = middle + 1;
    } else {
      most = middle;
    }
  }
  return least;
}

// Thread t settles the open cells of the counter that it drew, and writes their values.
extern "C" __global__ void rsonnx_settle(u64 key0, u64 key1, i64 first_block, i64 groups,
                                         i64 threads, i64 block_values, i64 size, i64 begin,
                                         i64 end, const short* outcome, const u8* levels, u32 steps,
                                         float divisor, float factor, float offset, float* out,
                                         const u8* open_cells, const u32* tiles,
                                         const short* lowest, const int* first, const int* inside,
                                         const u64* high, const u16* low) {
  const i64 thread = thread_number();
  if (thread >= threads || open_cells[thread] == 0) return;
  const i64 block = thread / groups, group = thread % groups;
  u64 rank = tiles[block * ((groups + TILE - 1) / TILE) + group / TILE];
  for (i64 before = thread - group % TILE; before < thread; ++before) rank += open_cells[before];
  const Words drawn = philox((u64)group, (u64)(first_block + block), 0, key0, key1);
  const i64 here = 16 * group;
  i64 place = here % size;
  for (int i = 0; i < 16 && here + i < block_values; ++i) {
    const u64 cell = cell_of(drawn, i);
    const i64 number = block * block_values + here + i;
    if (outcome[cell] == OPEN_CELL) {
      if (number >= begin && number < end) {
        const Words more = philox(rank / 4, (u64)(first_block + block), 1, key0, key1);
        const u64 further = word_of(more, rank % 4);
        const u64 upper = (cell << 48) | (further >> 16);
        const int above = passed(high, low, first[cell], inside[cell], upper, (u16)further);
        const int level = lowest[cell] + above + (int)levels[place];
        out[number - begin] = scaled(level, steps, divisor, factor, offset);
      }
      ++rank;
    }
    if (++place == size) place = 0;
  }
}

// Thread i counts label i: class k in bin k, -1 in bin `classes`, anything else in the bin behind it.
extern "C" __global__ void rsonnx_count(i64 rows, const i64* labels, i64 classes, u64* counts) {
  const i64 row = thread_number();
  if (row >= rows) return;
  const i64 label = labels[row];
  const bool is_class = label >= 0 && label < classes;
  atomicAdd(&counts[is_class ? label : label == -1 ? classes : classes + 1], 1ULL);
}
