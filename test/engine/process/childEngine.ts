/** Entry of the engine for tests that kill it: the real one, on the reference backend. */
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { runEngine } from '../../../engine/process/engine.ts';

const reference = async () => referenceBackend();
const done = await runEngine(process.argv[2] ?? '', { open: { wasm: reference, webgpu: reference } });
process.exit(done.reason === 'failed' ? 1 : 0);
