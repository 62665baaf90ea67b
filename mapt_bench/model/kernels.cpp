// Loops of the training on a CPU that torch has no fast operator for: see kernels.py.
//
// All maps are channels-last: the channels of a cell lie side by side, and the inner loops run over
// them. "half" is bfloat16, the upper half of a float. Sums are made in float.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16;  // floats of the widest vectors there are
typedef float Lanes __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES), aligned(4)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES), aligned(2)));

inline const Lanes &lanes(const float *place) { return *reinterpret_cast<const Lanes *>(place); }
inline Lanes &lanes(float *place) { return *reinterpret_cast<Lanes *>(place); }

struct half {
    uint16_t bits;
};

inline float load(float value) { return value; }

inline float load(half value) {
    uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
    float result;
    std::memcpy(&result, &bits, 4);
    return result;
}

inline void store(float *place, float value) { *place = value; }

inline void store(half *place, float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    // To the nearest, even on ties; a NaN stays one.
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    place->bits = static_cast<uint16_t>(value != value ? 0x7fc0u : rounded);
}

inline Lanes load_lanes(const float *place) { return lanes(place); }

inline Lanes load_lanes(const half *place) {
    const Words bits = __builtin_convertvector(*reinterpret_cast<const Halves *>(place), Words);
    return reinterpret_cast<Lanes>(bits << 16);
}

inline void store_lanes(float *place, const Lanes &values) { lanes(place) = values; }

inline void store_lanes(half *place, const Lanes &values) {
#ifdef __AVX512BF16__
    const __m256bh rounded16 = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(values));
    std::memcpy(place, &rounded16, sizeof rounded16);
#else
    const Words bits = reinterpret_cast<Words>(values);
    const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const Words is_nan = reinterpret_cast<Words>(values != values);
    const Words kept = (rounded & ~is_nan) | (is_nan & 0x7fc0u);
    *reinterpret_cast<Halves *>(place) = __builtin_convertvector(kept, Halves);
#endif
}

// Sums over cells of two numbers that `read` finds for each cell and LANES channels from one on.
template <int BLOCKS, class Read>
void sum_columns(int64_t cells, int64_t first, float *one, float *two, Read read) {
    Lanes a[BLOCKS] = {}, b[BLOCKS] = {};
    for (int64_t p = 0; p < cells; ++p)
        for (int block = 0; block < BLOCKS; ++block)
            read(p, first + block * LANES, a[block], b[block]);
    for (int block = 0; block < BLOCKS; ++block) {
        lanes(one + first + block * LANES) += a[block];
        lanes(two + first + block * LANES) += b[block];
    }
}

template <class Read>
void sum_cells(int64_t cells, int64_t channels, float *one, float *two, Read read) {
    std::fill(one, one + channels, 0.f);
    std::fill(two, two + channels, 0.f);
    const int64_t size = 256;  // short sums keep the rounding of float small
    for (int64_t start = 0; start < cells; start += size) {
        const int64_t count = std::min(size, cells - start);
        auto shifted = [&](int64_t p, int64_t c, Lanes &x, Lanes &y) { read(start + p, c, x, y); };
        int64_t c = 0;
        for (; c + 4 * LANES <= channels; c += 4 * LANES)
            sum_columns<4>(count, c, one, two, shifted);
        for (; c < channels; c += LANES) sum_columns<1>(count, c, one, two, shifted);
    }
}

// Channels are a multiple of LANES.
struct Norm {
    int64_t images, cells, channels, groups;
    const float *weight, *bias;
    float epsilon, slope;
};

template <class T>
void norm_forward(const Norm &n, const T *x, T *y, float *mean, float *inverse) {
    const int64_t width = n.channels / n.groups;
    std::vector<float> sum(n.channels), square(n.channels), scale(n.channels), shift(n.channels);
    for (int64_t image = 0; image < n.images; ++image) {
        const T *in = x + image * n.cells * n.channels;
        T *__restrict out = y + image * n.cells * n.channels;
        sum_cells(n.cells, n.channels, sum.data(), square.data(),
                  [&](int64_t p, int64_t c, Lanes &a, Lanes &b) {
                      const Lanes v = load_lanes(in + p * n.channels + c);
                      a += v;
                      b += v * v;
                  });
        for (int64_t g = 0; g < n.groups; ++g) {
            double first = 0, second = 0;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
                first += sum[c];
                second += square[c];
            }
            const double count = static_cast<double>(n.cells) * width;
            const double middle = first / count;
            const double spread = std::max(0.0, second / count - middle * middle);
            mean[image * n.groups + g] = static_cast<float>(middle);
            inverse[image * n.groups + g] = static_cast<float>(1 / std::sqrt(spread + n.epsilon));
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
                scale[c] = inverse[image * n.groups + g] * n.weight[c];
                shift[c] = n.bias[c] - mean[image * n.groups + g] * scale[c];
            }
        }
        const float *__restrict a = scale.data(), *__restrict b = shift.data();
        const float slope = n.slope;
        for (int64_t p = 0; p < n.cells; ++p)
            for (int64_t c = 0; c < n.channels; c += LANES) {
                const Lanes z = lanes(a + c) * load_lanes(in + p * n.channels + c) + lanes(b + c);
                store_lanes(out + p * n.channels + c, z > 0 ? z : z * slope);
            }
    }
}

template <class T>
void norm_backward(const Norm &n, const T *x, const T *dy, const float *mean, const float *inverse,
                   T *dx, float *dweight, float *dbias) {
    const int64_t width = n.channels / n.groups;
    std::vector<float> scale(n.channels), shift(n.channels), one(n.channels), two(n.channels),
        of_x(n.channels), constant(n.channels);
    for (int64_t image = 0; image < n.images; ++image) {
        const int64_t start = image * n.cells * n.channels;
        const T *in = x + start, *up = dy + start;
        T *__restrict down = dx + start;
        for (int64_t c = 0; c < n.channels; ++c) {
            const int64_t at = image * n.groups + c / width;
            scale[c] = inverse[at] * n.weight[c];
            shift[c] = n.bias[c] - mean[at] * scale[c];
        }
        const float *__restrict a = scale.data(), *__restrict b = shift.data();
        const float slope = n.slope;
        sum_cells(n.cells, n.channels, one.data(), two.data(),
                  [&](int64_t p, int64_t c, Lanes &s, Lanes &t) {
                      const Lanes v = load_lanes(in + p * n.channels + c);
                      const Lanes d = load_lanes(up + p * n.channels + c);
                      const Lanes g = lanes(a + c) * v + lanes(b + c) > 0 ? d : d * slope;
                      s += g;
                      t += g * v;
                  });
        for (int64_t g = 0; g < n.groups; ++g) {
            const int64_t at = image * n.groups + g;
            const double count = static_cast<double>(n.cells) * width;
            double first = 0, second = 0;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
                first += static_cast<double>(one[c]) * n.weight[c];
                second += static_cast<double>(two[c]) * n.weight[c];
                dweight[c] += (two[c] - mean[at] * one[c]) * inverse[at];
                dbias[c] += one[c];
            }
            const double cube = static_cast<double>(inverse[at]) * inverse[at] * inverse[at];
            const double slant = (first * mean[at] - second) * cube / count;
            for (int64_t c = g * width; c < (g + 1) * width; ++c) {
                of_x[c] = static_cast<float>(slant);
                constant[c] =
                    static_cast<float>(-slant * mean[at] - first * inverse[at] / count);
            }
        }
        const float *__restrict q = of_x.data(), *__restrict r = constant.data();
        for (int64_t p = 0; p < n.cells; ++p)
            for (int64_t c = 0; c < n.channels; c += LANES) {
                const Lanes v = load_lanes(in + p * n.channels + c);
                const Lanes d = load_lanes(up + p * n.channels + c);
                const Lanes g = lanes(a + c) * v + lanes(b + c) > 0 ? d : d * slope;
                store_lanes(down + p * n.channels + c,
                            lanes(a + c) * g + lanes(q + c) * v + lanes(r + c));
            }
    }
}

// The four cells around a place, with their shares; shares are 0 outside the map.
struct Corners {
    int64_t cell[4];
    float share[4], across[4], along[4];

    Corners(float y, float x, int64_t rows, int64_t columns) {
        const float top = std::floor(y), left = std::floor(x);
        const float down = y - top, right = x - left;
        for (int corner = 0; corner < 4; ++corner) {
            const int lower = corner / 2, later = corner % 2;
            const float row = top + lower, column = left + later;
            const bool inside = row >= 0 && row < rows && column >= 0 && column < columns;
            cell[corner] =
                inside ? static_cast<int64_t>(row) * columns + static_cast<int64_t>(column) : 0;
            const float vertical = lower ? down : 1 - down, level = later ? right : 1 - right;
            share[corner] = inside ? vertical * level : 0;
            along[corner] = inside ? (lower ? level : -level) : 0;      // to the place, downwards
            across[corner] = inside ? (later ? vertical : -vertical) : 0;  // and to the right
        }
    }
};

// A 3x3 convolution of each channel by itself, stride 1, as wide as its input.
struct Depthwise {
    int64_t images, rows, columns, channels, down, right;  // the last two: dilation

    // Calls each(place of the cell, place of the tap, tap) for the taps of a row that lie inside.
    template <class Each>
    void taps(int64_t row, int64_t column, Each each) const {
        for (int64_t tap = 0; tap < 9; ++tap) {
            const int64_t y = row + (tap / 3 - 1) * down, x = column + (tap % 3 - 1) * right;
            if (y >= 0 && y < rows && x >= 0 && x < columns) each(tap, y * columns + x);
        }
    }

    // Columns from `first` on and before `last` have all their taps inside, left and right.
    int64_t first() const { return std::min(right, columns); }
    int64_t last() const { return std::max(first(), columns - right); }
};

template <class T>
void depthwise_forward(const Depthwise &d, const T *x, const float *kernels, T *y) {
    const int64_t cells = d.rows * d.columns, channels = d.channels;
    for (int64_t image = 0; image < d.images; ++image)
        for (int64_t c = 0; c < channels; c += LANES) {
            Lanes k[9];
            for (int tap = 0; tap < 9; ++tap) k[tap] = lanes(kernels + tap * channels + c);
            const T *in = x + image * cells * channels + c;
            T *out = y + image * cells * channels + c;
            for (int64_t row = 0; row < d.rows; ++row) {
                auto border = [&](int64_t column) {
                    Lanes sum = {};
                    d.taps(row, column, [&](int64_t tap, int64_t at) {
                        sum += k[tap] * load_lanes(in + at * channels);
                    });
                    store_lanes(out + (row * d.columns + column) * channels, sum);
                };
                const bool above = row >= d.down, below = row + d.down < d.rows;
                for (int64_t column = 0; column < d.first(); ++column) border(column);
                for (int64_t column = d.first(); column < d.last(); ++column) {
                    const T *middle = in + (row * d.columns + column) * channels;
                    const int64_t step = d.right * channels, line = d.down * d.columns * channels;
                    Lanes sum = k[3] * load_lanes(middle - step) + k[4] * load_lanes(middle) +
                                k[5] * load_lanes(middle + step);
                    if (above)
                        sum += k[0] * load_lanes(middle - line - step) +
                               k[1] * load_lanes(middle - line) +
                               k[2] * load_lanes(middle - line + step);
                    if (below)
                        sum += k[6] * load_lanes(middle + line - step) +
                               k[7] * load_lanes(middle + line) +
                               k[8] * load_lanes(middle + line + step);
                    store_lanes(out + (row * d.columns + column) * channels, sum);
                }
                for (int64_t column = d.last(); column < d.columns; ++column) border(column);
            }
        }
}

// The gradient of the kernels; that of x is depthwise_forward with kernels turned around.
template <class T>
void depthwise_backward(const Depthwise &d, const T *x, const T *up, float *dkernels) {
    const int64_t cells = d.rows * d.columns, channels = d.channels;
    for (int64_t image = 0; image < d.images; ++image)
        for (int64_t c = 0; c < channels; c += LANES) {
            Lanes sums[9] = {};
            const T *in = x + image * cells * channels + c;
            const T *g = up + image * cells * channels + c;
            for (int64_t row = 0; row < d.rows; ++row) {
                auto border = [&](int64_t column) {
                    const Lanes grad = load_lanes(g + (row * d.columns + column) * channels);
                    d.taps(row, column, [&](int64_t tap, int64_t at) {
                        sums[tap] += grad * load_lanes(in + at * channels);
                    });
                };
                const bool above = row >= d.down, below = row + d.down < d.rows;
                for (int64_t column = 0; column < d.first(); ++column) border(column);
                for (int64_t column = d.first(); column < d.last(); ++column) {
                    const Lanes grad = load_lanes(g + (row * d.columns + column) * channels);
                    const T *middle = in + (row * d.columns + column) * channels;
                    const int64_t step = d.right * channels, line = d.down * d.columns * channels;
                    sums[3] += grad * load_lanes(middle - step);
                    sums[4] += grad * load_lanes(middle);
                    sums[5] += grad * load_lanes(middle + step);
                    if (above) {
                        sums[0] += grad * load_lanes(middle - line - step);
                        sums[1] += grad * load_lanes(middle - line);
                        sums[2] += grad * load_lanes(middle - line + step);
                    }
                    if (below) {
                        sums[6] += grad * load_lanes(middle + line - step);
                        sums[7] += grad * load_lanes(middle + line);
                        sums[8] += grad * load_lanes(middle + line + step);
                    }
                }
                for (int64_t column = d.last(); column < d.columns; ++column) border(column);
            }
            for (int tap = 0; tap < 9; ++tap) lanes(dkernels + tap * channels + c) += sums[tap];
        }
}

struct Deform {
    int64_t images, rows, columns, channels, levels;
    const int64_t *dilations, *used;
    const float *x, *offsets, *kernels, *gate;

    Corners corners(int64_t image, int64_t level, int64_t tap, int64_t row, int64_t column) const {
        const int64_t cells = rows * columns, at = row * columns + column;
        const float *offset = offsets + (((image * levels + level) * 9 + tap) * 2) * cells;
        const float y = row + (tap / 3 - 1) * dilations[level] + offset[at];
        const float z = column + (tap % 3 - 1) * dilations[level] + offset[cells + at];
        return Corners(y, z, rows, columns);
    }
};

// One region of a pyramid: which map it is read from, and where, in cells of it.
struct Region {
    float image, level, left, top, width, height;
};

// The four cells that a point of a region is read from: inside the map, its border goes on outside.
struct Read {
    int64_t cell[4];
    float share[4];

    Read(float y, float x, int64_t rows, int64_t columns) {
        y = std::min(std::max(y, 0.f), static_cast<float>(rows - 1));
        x = std::min(std::max(x, 0.f), static_cast<float>(columns - 1));
        const int64_t top = static_cast<int64_t>(y), left = static_cast<int64_t>(x);
        const int64_t below = std::min(top + 1, rows - 1), later = std::min(left + 1, columns - 1);
        const float down = y - top, right = x - left;
        cell[0] = top * columns + left;
        cell[1] = top * columns + later;
        cell[2] = below * columns + left;
        cell[3] = below * columns + later;
        share[0] = (1 - down) * (1 - right);
        share[1] = (1 - down) * right;
        share[2] = down * (1 - right);
        share[3] = down * right;
    }
};

template <class T>
struct Pool {
    int64_t regions, side, samples, channels;
    const Region *region;
    const int64_t *rows, *columns;

    template <class Each>
    void reads(const Region &at, int64_t cell, Each each) const {
        const int64_t level = static_cast<int64_t>(at.level);
        const float points = static_cast<float>(side * samples);
        for (int64_t i = 0; i < samples; ++i)
            for (int64_t j = 0; j < samples; ++j) {
                const float y = at.top + ((cell / side) * samples + i + 0.5f) / points * at.height;
                const float x = at.left + ((cell % side) * samples + j + 0.5f) / points * at.width;
                each(Read(y, x, rows[level], columns[level]));
            }
    }

    void forward(const T *const *levels, T *out) const {
        std::vector<float> sum(channels);
        const float share = 1.f / (samples * samples);
        for (int64_t r = 0; r < regions; ++r) {
            const int64_t level = static_cast<int64_t>(region[r].level);
            const T *map = levels[level] + static_cast<int64_t>(region[r].image) * rows[level] *
                                               columns[level] * channels;
            for (int64_t cell = 0; cell < side * side; ++cell) {
                std::fill(sum.begin(), sum.end(), 0.f);
                float *__restrict total = sum.data();
                reads(region[r], cell, [&](const Read &read) {
                    const T *a = map + read.cell[0] * channels, *b = map + read.cell[1] * channels;
                    const T *c = map + read.cell[2] * channels, *d = map + read.cell[3] * channels;
                    for (int64_t k = 0; k < channels; ++k)
                        total[k] += read.share[0] * load(a[k]) + read.share[1] * load(b[k]) +
                                    read.share[2] * load(c[k]) + read.share[3] * load(d[k]);
                });
                T *place = out + (r * side * side + cell) * channels;
                for (int64_t k = 0; k < channels; ++k) store(place + k, total[k] * share);
            }
        }
    }

    // Regions are sorted by image and level. `levels` are zero; only what regions touch is written.
    void backward(const T *up, T *const *levels) const {
        std::vector<float> sums;
        std::vector<int64_t> low, high;
        const float share = 1.f / (samples * samples);
        for (int64_t first = 0; first < regions;) {
            const int64_t level = static_cast<int64_t>(region[first].level);
            const int64_t height = rows[level], width = columns[level];
            if (static_cast<int64_t>(sums.size()) < height * width * channels)
                sums.assign(height * width * channels, 0.f);
            low.assign(height, width);
            high.assign(height, -1);
            int64_t r = first;
            for (; r < regions && region[r].image == region[first].image &&
                   region[r].level == region[first].level;
                 ++r)
                for (int64_t cell = 0; cell < side * side; ++cell) {
                    const T *from = up + (r * side * side + cell) * channels;
                    reads(region[r], cell, [&](const Read &read) {
                        for (int corner = 0; corner < 4; ++corner) {
                            const int64_t row = read.cell[corner] / width;
                            const int64_t column = read.cell[corner] % width;
                            low[row] = std::min(low[row], column);
                            high[row] = std::max(high[row], column);
                            float *__restrict to = sums.data() + read.cell[corner] * channels;
                            const float part = read.share[corner] * share;
                            for (int64_t k = 0; k < channels; ++k) to[k] += part * load(from[k]);
                        }
                    });
                }
            T *map = levels[level] +
                     static_cast<int64_t>(region[first].image) * height * width * channels;
            for (int64_t row = 0; row < height; ++row) {
                if (high[row] < 0) continue;
                float *from = sums.data() + (row * width + low[row]) * channels;
                T *to = map + (row * width + low[row]) * channels;
                const int64_t count = (high[row] - low[row] + 1) * channels;
                for (int64_t k = 0; k < count; ++k) store(to + k, from[k]);
                std::fill(from, from + count, 0.f);
            }
            first = r;
        }
    }
};

// Overlap of a box with anchors; sides lie in arrays of their own, so that vectors hold anchors.
struct Anchors {
    int64_t count;
    const float *left, *top, *right, *bottom;

    template <class Each>
    void overlaps(int64_t first, int64_t end, const float *box, Each each) const {
        const float area = (box[2] - box[0]) * (box[3] - box[1]);
        for (int64_t a = first; a < end; ++a) {
            const float width = std::min(right[a], box[2]) - std::max(left[a], box[0]);
            const float height = std::min(bottom[a], box[3]) - std::max(top[a], box[1]);
            const float shared = std::max(width, 0.f) * std::max(height, 0.f);
            const float own = (right[a] - left[a]) * (bottom[a] - top[a]);
            each(a, shared / (own + area - shared));
        }
    }
};

}  // namespace

extern "C" {

// best and index hold the greatest overlap of each anchor and whose it is; is_own is 1 for those
// anchors that overlap some box as much as any. Anchors of one row of a map follow each other: whole
// blocks of them lie above or below a box.
void match(const Anchors *anchors, const float *boxes, int64_t count, float *__restrict best,
           int32_t *__restrict index, uint8_t *__restrict is_own) {
    const int64_t size = 128, blocks = (anchors->count + size - 1) / size;
    std::vector<float> top(blocks), bottom(blocks);
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t end = std::min(anchors->count, (block + 1) * size);
        top[block] = *std::min_element(anchors->top + block * size, anchors->top + end);
        bottom[block] = *std::max_element(anchors->bottom + block * size, anchors->bottom + end);
    }
    auto near = [&](const float *box, auto each) {
        for (int64_t block = 0; block < blocks; ++block)
            if (top[block] < box[3] && bottom[block] > box[1])
                anchors->overlaps(block * size, std::min(anchors->count, (block + 1) * size), box,
                                  each);
    };
    for (int64_t b = 0; b < count; ++b) {
        float most = 0;
        const int32_t number = static_cast<int32_t>(b);
        near(boxes + 4 * b, [&](int64_t a, float overlap) {
            most = overlap > most ? overlap : most;
            index[a] = overlap > best[a] ? number : index[a];
            best[a] = overlap > best[a] ? overlap : best[a];
        });
        if (most > 0)
            near(boxes + 4 * b, [&](int64_t a, float overlap) { is_own[a] |= overlap == most; });
    }
}

// Share of crowd in boxes, (count, 4) of whole pixels inside the image, and as wide as they are.
void crowd(const uint8_t *is_crowd, int64_t rows, int64_t columns, const int32_t *boxes,
           int64_t count, float *shares) {
    std::vector<int32_t> sums((rows + 1) * (columns + 1), 0);
    for (int64_t row = 0; row < rows; ++row) {
        int32_t along = 0;
        const int32_t *above = sums.data() + row * (columns + 1);
        int32_t *here = sums.data() + (row + 1) * (columns + 1);
        for (int64_t column = 0; column < columns; ++column) {
            along += is_crowd[row * columns + column];
            here[column + 1] = above[column + 1] + along;
        }
    }
    for (int64_t b = 0; b < count; ++b) {
        const int32_t *box = boxes + 4 * b;
        const int32_t *upper = sums.data() + box[1] * (columns + 1);
        const int32_t *lower = sums.data() + box[3] * (columns + 1);
        const int32_t inside = lower[box[2]] - upper[box[2]] - lower[box[0]] + upper[box[0]];
        shares[b] = static_cast<float>(inside) /
                    std::max(1, (box[2] - box[0]) * (box[3] - box[1]));
    }
}

void norm_forward_float(const Norm *n, const float *x, float *y, float *mean, float *inverse) {
    norm_forward(*n, x, y, mean, inverse);
}

void norm_forward_half(const Norm *n, const half *x, half *y, float *mean, float *inverse) {
    norm_forward(*n, x, y, mean, inverse);
}

void norm_backward_float(const Norm *n, const float *x, const float *dy, const float *mean,
                         const float *inverse, float *dx, float *dweight, float *dbias) {
    norm_backward(*n, x, dy, mean, inverse, dx, dweight, dbias);
}

void norm_backward_half(const Norm *n, const half *x, const half *dy, const float *mean,
                        const float *inverse, half *dx, float *dweight, float *dbias) {
    norm_backward(*n, x, dy, mean, inverse, dx, dweight, dbias);
}

void depthwise_forward_float(const Depthwise *d, const float *x, const float *k, float *y) {
    depthwise_forward(*d, x, k, y);
}

void depthwise_forward_half(const Depthwise *d, const half *x, const float *k, half *y) {
    depthwise_forward(*d, x, k, y);
}

void depthwise_backward_float(const Depthwise *d, const float *x, const float *up, float *dk) {
    depthwise_backward(*d, x, up, dk);
}

void depthwise_backward_half(const Depthwise *d, const half *x, const half *up, float *dk) {
    depthwise_backward(*d, x, up, dk);
}

// Means of masks over square cells; those at the bottom and right end with the mask.
void shrink(const uint8_t *masks, int64_t count, int64_t height, int64_t width, int64_t stride,
            int64_t rows, int64_t columns, float *means) {
    std::vector<int32_t> sums(columns);
    for (int64_t mask = 0; mask < count; ++mask)
        for (int64_t row = 0; row < rows; ++row) {
            float *to = means + (mask * rows + row) * columns;
            const int64_t first = row * stride, end = std::min(height, first + stride);
            std::fill(sums.begin(), sums.end(), 0);
            for (int64_t y = first; y < end; ++y) {
                const uint8_t *from = masks + (mask * height + y) * width;
                uint8_t any = 0;
                for (int64_t x = 0; x < width; ++x) any |= from[x];
                if (!any) continue;
                for (int64_t x = 0; x < width; ++x) sums[x / stride] += from[x];
            }
            for (int64_t column = 0; column < columns; ++column) {
                const int64_t wide = std::min(width, (column + 1) * stride) - column * stride;
                to[column] = wide > 0 && end > first
                                 ? static_cast<float>(sums[column]) / ((end - first) * wide)
                                 : 0;
            }
        }
}

// RoIAlign of masks: each box is read as side x side cells, each at as many points as it has pixels.
void pool_masks(const uint8_t *masks, int64_t height, int64_t width, const float *boxes,
                const int64_t *whose, int64_t count, int64_t side, float *out) {
    for (int64_t b = 0; b < count; ++b) {
        const uint8_t *mask = masks + whose[b] * height * width;
        const float left = boxes[4 * b], top = boxes[4 * b + 1];
        const float wide = std::max(boxes[4 * b + 2] - left, 1.f) / side;
        const float high = std::max(boxes[4 * b + 3] - top, 1.f) / side;
        const int64_t down = static_cast<int64_t>(std::ceil(high));
        const int64_t along = static_cast<int64_t>(std::ceil(wide));
        for (int64_t cell = 0; cell < side * side; ++cell) {
            float sum = 0;
            for (int64_t i = 0; i < down; ++i)
                for (int64_t j = 0; j < along; ++j) {
                    const float y = top + ((cell / side) + (i + 0.5f) / down) * high;
                    const float x = left + ((cell % side) + (j + 0.5f) / along) * wide;
                    if (y < -1 || y > height || x < -1 || x > width) continue;
                    const Read read(y, x, height, width);
                    for (int corner = 0; corner < 4; ++corner)
                        sum += read.share[corner] * mask[read.cell[corner]];
                }
            out[b * side * side + cell] = sum / (down * along);
        }
    }
}

// Tap by tap: neighbouring cells read and write neighbouring places. Channels are a multiple of
// LANES, and those from used[image] on are 0 everywhere.
void deform_forward(const Deform *d, float *out) {
    const int64_t channels = d->channels, cells = d->rows * d->columns;
    for (int64_t image = 0; image < d->images; ++image) {
        const float *x = d->x + image * cells * channels;
        for (int64_t step = 0; step < d->levels * 9; ++step) {
            const float *gate = d->gate + (image * d->levels + step / 9) * cells;
            const float *k = d->kernels + step * channels;
            for (int64_t at = 0; at < cells; ++at) {
                const Corners corner =
                    d->corners(image, step / 9, step % 9, at / d->columns, at % d->columns);
                const float *p = x + corner.cell[0] * channels;
                const float *q = x + corner.cell[1] * channels;
                const float *r = x + corner.cell[2] * channels;
                const float *s = x + corner.cell[3] * channels;
                const float a = corner.share[0] * gate[at], b = corner.share[1] * gate[at];
                const float e = corner.share[2] * gate[at], f = corner.share[3] * gate[at];
                float *to = out + (image * cells + at) * channels;
                for (int64_t c = 0; c < d->used[image]; c += LANES)
                    lanes(to + c) += lanes(k + c) * (a * lanes(p + c) + b * lanes(q + c) +
                                                     e * lanes(r + c) + f * lanes(s + c));
            }
        }
    }
}

// All that is written is 0 before.
void deform_backward(const Deform *d, const float *up, float *dx, float *doffsets, float *dkernels,
                     float *dgate) {
    const int64_t channels = d->channels, cells = d->rows * d->columns;
    for (int64_t image = 0; image < d->images; ++image) {
        const float *x = d->x + image * cells * channels;
        float *back = dx + image * cells * channels;
        for (int64_t step = 0; step < d->levels * 9; ++step) {
            const int64_t level = image * d->levels + step / 9;
            const float *gate = d->gate + level * cells;
            const float *k = d->kernels + step * channels;
            float *dk = dkernels + step * channels;
            float *down = doffsets + (level * 9 + step % 9) * 2 * cells, *right = down + cells;
            for (int64_t at = 0; at < cells; ++at) {
                const float *g = up + (image * cells + at) * channels;
                const Corners corner =
                    d->corners(image, step / 9, step % 9, at / d->columns, at % d->columns);
                Lanes dots[4] = {};
                for (int64_t c = 0; c < d->used[image]; c += LANES) {
                    const Lanes sent = lanes(g + c) * lanes(k + c);
                    Lanes read = {};
                    for (int i = 0; i < 4; ++i) {
                        const int64_t place = corner.cell[i] * channels + c;
                        const float share = corner.share[i] * gate[at];
                        dots[i] += sent * lanes(x + place);
                        read += share * lanes(x + place);
                        lanes(back + place) += share * sent;
                    }
                    lanes(dk + c) += lanes(g + c) * read;
                }
                for (int i = 0; i < 4; ++i) {
                    float dot = 0;
                    for (int c = 0; c < LANES; ++c) dot += dots[i][c];
                    dgate[level * cells + at] += corner.share[i] * dot;
                    down[at] += corner.along[i] * dot * gate[at];
                    right[at] += corner.across[i] * dot * gate[at];
                }
            }
        }
    }
}

void pool_forward_float(const Pool<float> *p, const float *const *levels, float *out) {
    p->forward(levels, out);
}

void pool_forward_half(const Pool<half> *p, const half *const *levels, half *out) {
    p->forward(levels, out);
}

void pool_backward_float(const Pool<float> *p, const float *up, float *const *levels) {
    p->backward(up, levels);
}

void pool_backward_half(const Pool<half> *p, const half *up, half *const *levels) {
    p->backward(up, levels);
}
}
