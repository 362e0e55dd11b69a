/**
 * The WebAssembly instructions that the kernels use, by their names in the text format.
 *
 * @source WebAssembly core specification 2.0 (binary format), threads and relaxed SIMD proposals (now part of 3.0).
 */

/** Instructions without immediates: the opcode byte. */
const PLAIN = {
  unreachable: 0x00, return: 0x0f, drop: 0x1a, select: 0x1b,
  "i32.eqz": 0x45, "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49, "i32.gt_s": 0x4a,
  "i32.gt_u": 0x4b, "i32.le_s": 0x4c, "i32.le_u": 0x4d, "i32.ge_s": 0x4e, "i32.ge_u": 0x4f,
  "f32.eq": 0x5b, "f32.ne": 0x5c, "f32.lt": 0x5d, "f32.gt": 0x5e, "f32.le": 0x5f, "f32.ge": 0x60,
  "i32.add": 0x6a, "i32.sub": 0x6b, "i32.mul": 0x6c, "i32.div_s": 0x6d, "i32.div_u": 0x6e, "i32.rem_s": 0x6f,
  "i32.rem_u": 0x70, "i32.and": 0x71, "i32.or": 0x72, "i32.xor": 0x73, "i32.shl": 0x74, "i32.shr_s": 0x75,
  "i32.shr_u": 0x76, "i32.clz": 0x67, "i32.ctz": 0x68,
  "i64.add": 0x7c, "i64.mul": 0x7e, "i64.div_u": 0x80, "i32.wrap_i64": 0xa7, "i64.extend_i32_u": 0xad,
  "i64.shr_u": 0x88, "i64.shl": 0x86,
  "f32.abs": 0x8b, "f32.neg": 0x8c, "f32.sqrt": 0x91, "f32.add": 0x92, "f32.sub": 0x93, "f32.mul": 0x94,
  "f32.div": 0x95, "f32.min": 0x96, "f32.max": 0x97,
  "f32.convert_i32_s": 0xb2, "f32.convert_i32_u": 0xb3, "i32.reinterpret_f32": 0xbc, "f32.reinterpret_i32": 0xbe,
} as const; // prettier-ignore

/** SIMD instructions without immediates: the opcode after the 0xfd prefix. */
const SIMD = {
  "i8x16.swizzle": 0x0e, "i8x16.splat": 0x0f, "i16x8.splat": 0x10, "i32x4.splat": 0x11, "i64x2.splat": 0x12,
  "f32x4.splat": 0x13,
  "i8x16.eq": 0x23, "i8x16.ne": 0x24, "i16x8.eq": 0x2d, "i16x8.ne": 0x2e, "i16x8.lt_s": 0x2f, "i16x8.gt_s": 0x31,
  "i16x8.le_s": 0x33, "i16x8.ge_s": 0x35, "i32x4.eq": 0x37, "i32x4.ne": 0x38, "i32x4.lt_s": 0x39, "i32x4.lt_u": 0x3a,
  "i32x4.gt_s": 0x3b, "i32x4.gt_u": 0x3c, "i32x4.le_s": 0x3d, "i32x4.le_u": 0x3e, "i32x4.ge_s": 0x3f,
  "i32x4.ge_u": 0x40,
  "f32x4.eq": 0x41, "f32x4.ne": 0x42, "f32x4.lt": 0x43, "f32x4.gt": 0x44, "f32x4.le": 0x45, "f32x4.ge": 0x46,
  "v128.not": 0x4d, "v128.and": 0x4e, "v128.andnot": 0x4f, "v128.or": 0x50, "v128.xor": 0x51,
  "v128.bitselect": 0x52, "v128.any_true": 0x53,
  "i8x16.abs": 0x60, "i8x16.neg": 0x61, "i8x16.narrow_i16x8_s": 0x65, "i8x16.narrow_i16x8_u": 0x66,
  "f32x4.ceil": 0x67, "f32x4.floor": 0x68, "f32x4.trunc": 0x69, "f32x4.nearest": 0x6a,
  "i8x16.shl": 0x6b, "i8x16.shr_s": 0x6c, "i8x16.shr_u": 0x6d, "i8x16.add": 0x6e, "i8x16.sub": 0x71,
  "i16x8.narrow_i32x4_s": 0x85, "i16x8.narrow_i32x4_u": 0x86,
  "i16x8.extend_low_i8x16_s": 0x87, "i16x8.extend_high_i8x16_s": 0x88, "i16x8.extend_low_i8x16_u": 0x89,
  "i16x8.extend_high_i8x16_u": 0x8a, "i16x8.shl": 0x8b, "i16x8.shr_s": 0x8c, "i16x8.shr_u": 0x8d,
  "i16x8.extadd_pairwise_i8x16_s": 0x7c, "i16x8.add": 0x8e, "i16x8.sub": 0x91, "i16x8.mul": 0x95,
  "i16x8.neg": 0x81, "i16x8.min_s": 0x96, "i16x8.max_s": 0x98,
  "i32x4.abs": 0xa0, "i32x4.neg": 0xa1, "i32x4.all_true": 0xa3,
  "i32x4.extend_low_i16x8_s": 0xa7, "i32x4.extend_high_i16x8_s": 0xa8, "i32x4.extend_low_i16x8_u": 0xa9,
  "i32x4.extend_high_i16x8_u": 0xaa, "i32x4.shl": 0xab, "i32x4.shr_s": 0xac, "i32x4.shr_u": 0xad,
  "i32x4.add": 0xae, "i32x4.sub": 0xb1, "i32x4.mul": 0xb5, "i32x4.min_s": 0xb6, "i32x4.min_u": 0xb7,
  "i32x4.max_s": 0xb8, "i32x4.max_u": 0xb9, "i32x4.dot_i16x8_s": 0xba,
  "f32x4.abs": 0xe0, "f32x4.neg": 0xe1, "f32x4.sqrt": 0xe3, "f32x4.add": 0xe4, "f32x4.sub": 0xe5,
  "f32x4.mul": 0xe6, "f32x4.div": 0xe7, "f32x4.min": 0xe8, "f32x4.max": 0xe9, "f32x4.pmin": 0xea,
  "f32x4.pmax": 0xeb,
  "i32x4.trunc_sat_f32x4_s": 0xf8, "i32x4.trunc_sat_f32x4_u": 0xf9, "f32x4.convert_i32x4_s": 0xfa,
  "f32x4.convert_i32x4_u": 0xfb,
  "i8x16.relaxed_swizzle": 0x100, "i32x4.relaxed_trunc_f32x4_s": 0x101, "f32x4.relaxed_madd": 0x105,
  "f32x4.relaxed_nmadd": 0x106, "i32x4.relaxed_laneselect": 0x10b, "f32x4.relaxed_min": 0x10d,
  "f32x4.relaxed_max": 0x10e, "i16x8.relaxed_dot_i8x16_i7x16_s": 0x112,
  "i32x4.relaxed_dot_i8x16_i7x16_add_s": 0x113,
} as const; // prettier-ignore

/** SIMD instructions with one lane number: the opcode after the 0xfd prefix. */
const LANE = {
  "i8x16.extract_lane_u": 0x16, "i16x8.extract_lane_u": 0x19, "i32x4.extract_lane": 0x1b,
  "i32x4.replace_lane": 0x1c, "f32x4.extract_lane": 0x1f, "f32x4.replace_lane": 0x20,
} as const; // prettier-ignore

/** Loads and stores: [prefix or 0, opcode, natural alignment as a power of two]. */
const MEMORY = {
  "i32.load": [0, 0x28, 2], "f32.load": [0, 0x2a, 2], "i32.load8_s": [0, 0x2c, 0], "i32.load8_u": [0, 0x2d, 0],
  "i32.load16_s": [0, 0x2e, 1], "i32.load16_u": [0, 0x2f, 1], "i32.store": [0, 0x36, 2], "f32.store": [0, 0x38, 2],
  "i32.store8": [0, 0x3a, 0], "i32.store16": [0, 0x3b, 1],
  "v128.load": [0xfd, 0x00, 4], "v128.load8x8_s": [0xfd, 0x01, 3],
  "v128.load8x8_u": [0xfd, 0x02, 3], "v128.load16x4_s": [0xfd, 0x03, 3],
  "v128.load16x4_u": [0xfd, 0x04, 3], "v128.load8_splat": [0xfd, 0x07, 0], "v128.load16_splat": [0xfd, 0x08, 1],
  "v128.load32_splat": [0xfd, 0x09, 2], "v128.load64_splat": [0xfd, 0x0a, 3], "v128.store": [0xfd, 0x0b, 4],
  "v128.load32_zero": [0xfd, 0x5c, 2], "v128.load64_zero": [0xfd, 0x5d, 3],
  "memory.atomic.notify": [0xfe, 0x00, 2], "memory.atomic.wait32": [0xfe, 0x01, 2],
  "i32.atomic.load": [0xfe, 0x10, 2], "i32.atomic.store": [0xfe, 0x17, 2], "i32.atomic.rmw.add": [0xfe, 0x1e, 2],
  "i32.atomic.rmw.sub": [0xfe, 0x25, 2],
} as const; // prettier-ignore

/** Loads and stores of one lane: [opcode after 0xfd, natural alignment]. The lane follows the address. */
const MEMORY_LANE = {
  "v128.load32_lane": [0x56, 2], "v128.load64_lane": [0x57, 3], "v128.store8_lane": [0x58, 0],
  "v128.store16_lane": [0x59, 1], "v128.store32_lane": [0x5a, 2], "v128.store64_lane": [0x5b, 3],
} as const; // prettier-ignore

export type PlainOp = keyof typeof PLAIN | keyof typeof SIMD;
export type LaneOp = keyof typeof LANE;
export type MemoryOp = keyof typeof MEMORY;
export type MemoryLaneOp = keyof typeof MEMORY_LANE;

export const plainOps: Readonly<Record<string, number>> = PLAIN;
export const simdOps: Readonly<Record<string, number>> = SIMD;
export const laneOps: Readonly<Record<LaneOp, number>> = LANE;
export const memoryOps: Readonly<Record<MemoryOp, readonly [number, number, number]>> = MEMORY;
export const memoryLaneOps: Readonly<Record<MemoryLaneOp, readonly [number, number]>> = MEMORY_LANE;
