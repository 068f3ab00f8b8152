/** A look inside from an editor: graph, kernels and plan as text, and the layers of a train block as a tree. */
import * as v from 'valibot';
import { ErrorCodes, LSPErrorCodes, ResponseError } from 'vscode-languageserver';
import { trainProblem } from '../ide/codeLens.ts';
import { type LayerNode, modelOutline } from '../ide/modelOutline.ts';
import { emissionNames, emit } from '../inspect/emit.ts';
import type { Analysis } from '../lang/api.ts';
import {
  type InspectResult,
  inspectRequest,
  type OutlineLayer,
  type OutlineResult,
  outlineRequest,
} from './protocol.ts';
import type { Session } from './session.ts';

const place = v.object({ line: v.number(), character: v.number() });
const inspectParams = v.object({
  uri: v.string(),
  what: v.picklist(emissionNames),
  train: v.optional(v.string()),
  position: v.optional(place),
});
const outlineParams = v.object({ uri: v.string() });

export function registerInspection(session: Session): void {
  const { connection, convert } = session;
  connection.onRequest(inspectRequest, (params: unknown): InspectResult => {
    const { uri, what, train, position } = parse(inspectParams, params);
    const analysis = demand(session, uri);
    if (what === 'shapes') return { text: emit(what, analysis) };
    const offset = position && convert.offset(analysis.lines, position);
    const shown = train ?? blockAt(analysis, offset);
    if (shown === undefined) return { text: '// the file has no train block\n' };
    return { train: shown, text: emit(what, analysis, shown) };
  });
  connection.onRequest(outlineRequest, (params: unknown): OutlineResult => {
    const analysis = demand(session, parse(outlineParams, params).uri);
    return analysis.trains.map(block => {
      const range = convert.range(analysis.lines, block.nameSpan);
      const outline = modelOutline(analysis, block.name);
      if (outline !== undefined) return { ...outline, range, layers: outline.layers.map(l => layer(session, l)) };
      const problem = trainProblem(block, session.say) ?? session.say('dataRead');
      return { train: block.name, range, weights: 0, flops: 0, layers: [], problem };
    });
  });
}

/** The block around the offset, or the first of the file. */
function blockAt({ trains }: Analysis, offset: number | undefined): string | undefined {
  const around = trains.find(({ span }) => offset !== undefined && span.start <= offset && offset <= span.end);
  return (around ?? trains[0])?.name;
}

function layer(session: Session, { location, children, ...node }: LayerNode): OutlineLayer {
  const lines = location && session.workspace.linesOf(location.uri);
  return {
    ...node,
    children: children.map(child => layer(session, child)),
    ...(location && lines && { location: session.convert.location(location, lines) }),
  };
}

function demand({ workspace, say }: Session, uri: string): Analysis {
  const analysis = workspace.analysis(uri);
  if (analysis === undefined) throw new ResponseError(LSPErrorCodes.RequestFailed, say('noFile', uri));
  return analysis;
}

function parse<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new ResponseError(ErrorCodes.InvalidParams, `malformed argument: ${parsed.issues[0].message}`);
}
