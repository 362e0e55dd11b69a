/** One image. */

/** An image [height, width, channels], channels adjacent, as floats. */
export interface Image {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly pixels: Float32Array;
}
