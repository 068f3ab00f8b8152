/** Entry of the engine for tests that kill it: the real one, on the backend named in the arguments, not in `auto`'s hands. */
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { runEngine } from '../../../engine/process/engine.ts';

const [, , folder = '', backend] = process.argv;
const open = async () => (backend === 'wasm' ? wasmBackend() : referenceBackend());
const done = await runEngine(folder, { open: { wasm: open, webgpu: open } });
process.exit(done.reason === 'failed' ? 1 : 0);
