/** CIFAR-100 with its 100 fine classes. */
import { cifar100 } from "../cifar-100.ts";

/** 500 training images a class. */
export const dataset = cifar100("cifar-100", "fine");
