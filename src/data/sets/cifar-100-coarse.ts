/** CIFAR-100 with its 20 coarse classes, from the same files. */
import { cifar100 } from "../cifar-100.ts";

/** 2,500 training images a class. */
export const dataset = cifar100("cifar-100-coarse", "coarse");
