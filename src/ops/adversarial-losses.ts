/** What the two networks of a GAN lower: hinge losses of a discriminator's scores. */
import { sizeOf, type Tensor } from "../tensor/tensor.ts";
import { add } from "./add.ts";
import { hingeLoss } from "./losses.ts";
import { mean } from "./mean.ts";
import { scaled } from "./scaled.ts";

const constant = ({ device, shape }: Tensor, value: number): Tensor =>
  device.tensor(new Float32Array(sizeOf(shape)).fill(value), shape);

/**
 *   L = mean max(0, 1 - real) + mean max(0, 1 + generated),   shape [1]
 *
 * It is 2 where the discriminator knows nothing (all scores 0) and 0 where every score is on its side by the margin.
 *
 * @param real       scores of real images, any shape
 * @param generated  scores of generated ones
 * @source Lim and Ye 2017, Geometric GAN, equations 15 and 16; Miyato et al. 2018.
 */
export const discriminatorHingeLoss = (real: Tensor, generated: Tensor): Tensor =>
  add(hingeLoss(real, constant(real, 1)), hingeLoss(generated, constant(generated, -1)));

/** L = -mean generated, shape [1]: what the generator lowers against {@link discriminatorHingeLoss}. */
export const generatorHingeLoss = (generated: Tensor): Tensor => scaled(mean(generated), -1);
