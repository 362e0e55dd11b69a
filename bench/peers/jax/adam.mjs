// Adam and AdamW for trees of jax-js arrays, by the formulas of its own optax port, which is a package of its own.
export function adam(jax, lr, weightDecay = 0) {
  const { numpy: np, tree } = jax;
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  const zerosLike = (parameters) => tree.map((x) => np.zerosLike(x), parameters);

  function update(gradients, { count: before, m: oldM, v: oldV }, parameters) {
    const m = tree.map((g, x) => g.mul(1 - beta1).add(x.mul(beta1)), tree.ref(gradients), oldM);
    const v = tree.map(
      (g, x) =>
        g.ref
          .mul(g)
          .mul(1 - beta2)
          .add(x.mul(beta2)),
      gradients,
      oldV,
    );
    const count = before.add(1);
    const correction = (beta) => np.reciprocal(np.subtract(1, np.power(beta, count.ref.astype(np.float32))));
    const [correction1, correction2] = [correction(beta1), correction(beta2)];
    const changes = tree.map(
      (first, second, w) => {
        let change = first.mul(correction1.ref).div(np.sqrt(second.mul(correction2.ref)).add(epsilon));
        if (weightDecay > 0) change = change.add(w.mul(weightDecay));
        else w.dispose();
        return change.mul(-lr);
      },
      tree.ref(m),
      tree.ref(v),
      tree.ref(parameters),
    );
    correction1.dispose();
    correction2.dispose();
    return [tree.map((w, change) => w.add(change), parameters, changes), { count, m, v }];
  }

  const init = (parameters) => ({
    count: np.array(0, { dtype: np.uint32 }),
    m: zerosLike(tree.ref(parameters)),
    v: zerosLike(parameters),
  });
  return { init, update };
}
