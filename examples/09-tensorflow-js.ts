// Madam in TensorFlow.js: weights move by factors, and keep their signs. Learns the area of a rectangle from its sides.
import * as tf from "@tensorflow/tfjs";
import { optimizersFor } from "logrung/tfjs";

const { Madam } = optimizersFor(tf);
await tf.setBackend("cpu");

const sides = tf.randomUniform([256, 2], 0.1, 1, "float32", 1);
const areas = tf.prod(sides, 1, true);
const init = (seed: number) => ({
  kernelInitializer: tf.initializers.glorotUniform({ seed }),
  biasInitializer: tf.initializers.constant({ value: 0.1 }), // a zero could never move
});
const model = tf.sequential({
  layers: [
    tf.layers.dense({ units: 16, inputShape: [2], activation: "relu", ...init(1) }),
    tf.layers.dense({ units: 1, ...init(2) }),
  ],
});
model.compile({ optimizer: new Madam({ lr: 0.01, momentum: 0.9 }), loss: "meanSquaredError" });
const { history } = await model.fit(sides, areas, { epochs: 10, batchSize: 16, shuffle: false, verbose: 0 });
history.loss.forEach((loss, epoch) => {
  if (epoch % 3 === 0) console.log(`epoch ${epoch + 1} loss ${Number(loss).toFixed(5)}`);
});
