// The bench workload simplenet in jax-js on its WASM backend: a jitted step with Adam, on random data of the same shapes.
// Usage: node jaxPeer.mjs FOLDER REPEATS WORKLOAD… ; FOLDER holds node_modules with @jax-js/jax. Prints JSON lines as torchPeer.py.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, repeats, ...workloads] = process.argv.slice(2);
const REPEAT_SECONDS = 0.08;
const WARM_UP_SECONDS = 0.4;
const [SAMPLES, BATCH] = [8960, 64];

const { resolve } = createRequire(join(folder, 'package.json'));
const { blockUntilReady, defaultDevice, init, jit, nn, numpy, random, tree, valueAndGrad } = await import(
  pathToFileURL(resolve('@jax-js/jax'))
);
const { version } = JSON.parse(readFileSync(join(folder, 'node_modules/@jax-js/jax/package.json'), 'utf8'));

function simplenet() {
  const weight = (key, inputs, outputs) => {
    const bound = 1 / Math.sqrt(inputs);
    return random.uniform(random.key(key), [inputs, outputs], { minval: -bound, maxval: bound });
  };
  const parameters = { w1: weight(1, 784, 128), b1: numpy.zeros([128]), w2: weight(2, 128, 10), b2: numpy.zeros([10]) };
  const loss = (p, x, y) => {
    const hidden = nn.relu(numpy.dot(x, p.w1).add(p.b1));
    const scores = nn.logSoftmax(numpy.dot(hidden, p.w2).add(p.b2));
    return scores
      .mul(nn.oneHot(y, 10))
      .sum()
      .mul(-1 / BATCH);
  };
  const adam = jit((p, m, v, x, y) => {
    const [value, gradient] = valueAndGrad(loss)(tree.ref(p), x, y);
    const [nextP, nextM, nextV] = [{}, {}, {}];
    for (const [name, g] of Object.entries(gradient)) {
      nextM[name] = m[name].mul(0.9).add(g.ref.mul(0.1));
      nextV[name] = v[name].mul(0.999).add(numpy.square(g).mul(0.001));
      const rate = nextM[name].ref.mul(1e-3);
      nextP[name] = p[name].sub(rate.div(numpy.sqrt(nextV[name].ref).add(1e-8)));
    }
    return [nextP, nextM, nextV, value];
  });
  const zeros = () => tree.map(x => numpy.zeros(x.shape), parameters);
  const images = Float32Array.from({ length: SAMPLES * 784 }, Math.random);
  const labels = Int32Array.from({ length: SAMPLES }, () => Math.floor(Math.random() * 10));
  let [p, m, v] = [parameters, zeros(), zeros()];
  let batch = 0;
  return async steps => {
    const start = performance.now();
    let value;
    for (let i = 0; i < steps; i++) {
      const at = (batch++ % (SAMPLES / BATCH)) * BATCH;
      const x = numpy.array(images.slice(at * 784, (at + BATCH) * 784)).reshape([BATCH, 784]);
      value?.dispose();
      [p, m, v, value] = adam(p, m, v, x, numpy.array(labels.slice(at, at + BATCH)));
    }
    await blockUntilReady(value);
    return (performance.now() - start) / 1000;
  };
}

await init();
defaultDevice('wasm');
for (const workload of workloads.filter(name => name === 'simplenet')) {
  const run = simplenet();
  const warm = Math.max(1, Math.round(WARM_UP_SECONDS / (await run(1))));
  const steps = Math.max(1, Math.round((REPEAT_SECONDS * warm) / (await run(warm))));
  const rates = [];
  for (let i = 0; i < Number(repeats); i++) rates.push(steps / (await run(steps)));
  rates.sort((a, b) => a - b);
  const result = { workload, threads: 1, best: rates.at(-1), median: rates[Math.floor(rates.length / 2)], version };
  console.log(JSON.stringify(result));
}
process.exit();
