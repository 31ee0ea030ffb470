// The timed functions in TensorFlow.js, by hand: it has no converter from torch.
const LOG_2PI = Math.log(2 * Math.PI);

function tfTanh(z, loc, scale) {
  const u = z.mul(scale).add(loc), zero = tf.zerosLike(u);
  const softplus = tf.softplus(u.mul(-2));
  return [u.tanh(), tf.scalar(Math.log(2)).sub(u).sub(softplus).mul(2).add(scale.abs().log()), zero].slice(0, 2);
}
function tfPlanar(z, w, u, b) {
  const bend = z.mul(w).sum(1).add(b).tanh();
  const det = tf.scalar(1).add(tf.scalar(1).sub(bend.square()).mul(w.mul(u).sum()));
  return [z.add(bend.expandDims(1).mul(u)), det.abs().log()];
}
function tfRadial(z, center, alpha, beta) {
  const offset = z.sub(center), h = tf.scalar(1).div(alpha.add(offset.norm(2, 1)));
  const across = beta.mul(h).add(1), along = beta.mul(alpha).mul(h.square()).add(1);
  return [z.add(beta.mul(h).expandDims(1).mul(offset)), across.abs().log().add(along.abs().log())];
}
// params: six tensors a layer, as torch stores them: weight (out, in), bias (out)
function tfConditioner(kept, p) {
  let h = tf.matMul(kept, p[0], false, true).add(p[1]).relu();
  h = tf.matMul(h, p[2], false, true).add(p[3]).relu();
  const [s, t] = tf.matMul(h, p[4], false, true).add(p[5]).split(2, 1);
  return [s.tanh(), t];
}
function tfFlow(z, params, backwards) {
  const count = params.length / 6;
  let [a, b] = z.split(2, 1), total = tf.zeros([z.shape[0], 1]);
  for (let k = 0; k < count; k++) {
    const i = backwards ? count - 1 - k : k, flip = i % 2 === 1;
    const kept = flip ? b : a, changed = flip ? a : b;
    const [s, t] = tfConditioner(kept, params.slice(6 * i, 6 * i + 6));
    const moved = backwards ? changed.mul(s.exp()).add(t) : changed.sub(t).mul(s.neg().exp());
    total = backwards ? total.add(s) : total.sub(s);
    if (flip) a = moved; else b = moved;
  }
  return [tf.concat([a, b], 1), total.squeeze([1])];
}
function tfStep(params, mean, square, x, lr) {
  const loss = (...p) => {
    const [z, logDet] = tfFlow(x, p, true);
    return z.square().mul(-0.5).sub(0.5 * LOG_2PI).sum(1).add(logDet).mean().neg();
  };
  const { value, grads } = tf.valueAndGrads(loss)(params);
  const m = mean.map((v, k) => v.mul(0.9).add(grads[k].mul(0.1)));
  const s = square.map((v, k) => v.mul(0.999).add(grads[k].square().mul(0.001)));
  const p = params.map((v, k) => v.sub(m[k].div(s[k].sqrt().add(1e-8)).mul(lr)));
  return [...p, ...m, ...s, value];
}
