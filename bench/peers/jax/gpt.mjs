// GPT-2 in jax-js, as its authors would write it: jit over the whole step, its own fused attention.
export function gpt(jax, { normals, sizes }) {
  const { numpy: np, nn } = jax;
  const { layers, width, heads, context, batch, vocabulary } = sizes.gpt;
  const rows = batch * context;
  let seed = 2;
  const drawn = (shape, deviation) =>
    np.array(normals(seed++, shape[0] * shape[1], deviation)).reshape(shape);
  const residual = 0.02 / Math.sqrt(2 * layers);
  const norm = () => ({ gain: np.ones([width]), bias: np.zeros([width]) });

  const parameters = {
    tokens: drawn([vocabulary, width], 0.02),
    positions: drawn([context, width], 0.02),
    norm: norm(),
    blocks: Array.from({ length: layers }, () => ({
      norm1: norm(),
      norm2: norm(),
      qkv: drawn([width, 3 * width], 0.02),
      qkvBias: np.zeros([3 * width]),
      project: drawn([width, width], residual),
      projectBias: np.zeros([width]),
      widen: drawn([width, 4 * width], 0.02),
      widenBias: np.zeros([4 * width]),
      narrow: drawn([4 * width, width], residual),
      narrowBias: np.zeros([width]),
    })),
  };

  const normalised = (x, { gain, bias }) => {
    const mean = x.ref.mean(-1, { keepdims: true });
    const centred = x.sub(mean);
    const variance = centred.ref.mul(centred.ref).mean(-1, { keepdims: true });
    return centred
      .div(np.sqrt(variance.add(1e-5)))
      .mul(gain)
      .add(bias);
  };

  const block = (x, p) => {
    const qkv = np.dot(normalised(x.ref, p.norm1), p.qkv).add(p.qkvBias);
    const split = np.split(qkv.reshape([batch, context, 3, heads, width / heads]), 3, 2);
    const [q, k, v] = split.map((part) => part.reshape([batch, context, heads, width / heads]));
    const attended = nn.dotProductAttention(q, k, v, { isCausal: true }).reshape([rows, width]);
    x = x.add(np.dot(attended, p.project).add(p.projectBias));
    const wide = nn.gelu(np.dot(normalised(x.ref, p.norm2), p.widen).add(p.widenBias), {
      approximate: true,
    });
    return x.add(np.dot(wide, p.narrow).add(p.narrowBias));
  };

  const loss = (p, x, y) => {
    // A one-hot product: in 0.1.25 the gradient of np.take under jit throws "routine primitive scatter input is not imm".
    const embedded = np.dot(nn.oneHot(x, vocabulary), p.tokens.ref).reshape([batch, context, width]);
    let h = embedded.add(p.positions).reshape([rows, width]);
    for (const each of p.blocks) h = block(h, each);
    const logits = np.dot(normalised(h, p.norm), p.tokens.transpose());
    return nn
      .logSoftmax(logits)
      .mul(nn.oneHot(y, vocabulary))
      .sum()
      .mul(-1 / rows);
  };

  return { parameters, loss };
}
