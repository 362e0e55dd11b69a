// GPT-2 in TensorFlow.js, of its functional operations: it has no attention of its own.
export function gpt(tf, { normals, sizes }, variable) {
  const { layers, width, heads, context, batch, vocabulary } = sizes.gpt;
  const rows = batch * context;
  let seed = 2;
  const drawn = (shape, deviation) => variable(normals(seed++, shape[0] * shape[1], deviation), shape);
  const filled = (length, value) => variable(new Float32Array(length).fill(value), [length]);
  const residual = 0.02 / Math.sqrt(2 * layers);
  const norm = () => ({ gain: filled(width, 1), bias: filled(width, 0) });
  const affine = (from, to, deviation) => ({ weight: drawn([from, to], deviation), bias: filled(to, 0) });

  const tokens = drawn([vocabulary, width], 0.02);
  const positions = drawn([context, width], 0.02);
  const blocks = Array.from({ length: layers }, () => ({
    norm1: norm(),
    norm2: norm(),
    qkv: affine(width, 3 * width, 0.02),
    project: affine(width, width, residual),
    widen: affine(width, 4 * width, 0.02),
    narrow: affine(4 * width, width, residual),
  }));
  const last = norm();
  const future = Float32Array.from({ length: context ** 2 }, (_, i) =>
    i % context > Math.floor(i / context) ? -1e9 : 0,
  );
  const mask = tf.tensor(future, [1, 1, context, context]);

  const normalised = (x, { gain, bias }) => {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    return tf.add(tf.mul(tf.div(centred, tf.sqrt(tf.add(variance, 1e-5))), gain), bias);
  };
  const linear = (x, { weight, bias }) => tf.add(tf.matMul(x, weight), bias);
  const gelu = (x) => {
    const cubic = tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))));
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), cubic))));
  };
  const attention = (qkv) => {
    const split = (part) => tf.transpose(tf.reshape(part, [batch, context, heads, width / heads]), [0, 2, 1, 3]);
    const [q, k, v] = tf.split(qkv, 3, 1).map(split);
    const scores = tf.mul(tf.matMul(q, k, false, true), (width / heads) ** -0.5);
    const heard = tf.matMul(tf.softmax(tf.add(scores, mask)), v);
    return tf.reshape(tf.transpose(heard, [0, 2, 1, 3]), [rows, width]);
  };
  const block = (input, p) => {
    const attended = attention(linear(normalised(input, p.norm1), p.qkv));
    const x = tf.add(input, linear(attended, p.project));
    return tf.add(x, linear(gelu(linear(normalised(x, p.norm2), p.widen)), p.narrow));
  };

  return (x) => {
    // A one-hot product: the gradient of a gather wants UnsortedSegmentSum, which 4.22.0 lacks on wasm.
    const embedded = tf.matMul(tf.oneHot(x, vocabulary).toFloat(), tokens);
    const h = tf.reshape(tf.add(tf.reshape(embedded, [batch, context, width]), positions), [rows, width]);
    return tf.matMul(normalised(blocks.reduce(block, h), last), tokens, false, true);
  };
} // prettier-ignore
