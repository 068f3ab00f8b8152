/** What the server needs from the machine it runs on; a browser worker offers little of it. */
import type { Address } from '../../engine/util/address.ts';
import type { Fetched, FetchOptions } from '../data/fetchData.ts';
import type { SchemaStore } from '../data/schemaStore.ts';
import type { LangHost } from '../lang/api.ts';
import type { RunManager } from '../runs/manager.ts';

export interface FolderEntry {
  readonly name: string;
  readonly folder: boolean;
}

/** Where a file's runs go and its data paths start. */
export interface TrainingPlace {
  /** Absolute path of the workspace folder. */
  readonly workspace: string;
  /** Absolute path of the folder that holds the file. */
  readonly base: string;
  /** Path of the file relative to the workspace, for people. */
  readonly source: string;
}

export interface RunsOptions {
  readonly engine: string | undefined;
  readonly runtime: () => string | undefined;
  readonly log: (message: string) => void;
}

/** `schemas` is absent where no data files are read. */
export interface DiskView extends LangHost {
  readonly schemas?: Pick<SchemaStore, 'lookAgain' | 'waiting' | 'settled'>;
}

export interface ServerHost {
  /** Uris of the workspace folders; called at the start and whenever they change. */
  setFolders(uris: readonly string[]): void;
  /** Absolute paths of the workspace folders. */
  folders(): readonly string[];
  /** The view of the disk that the checker gets; open texts win over it. `arrived` is told which files asked for a schema that is now known. */
  langHost(openText: (uri: string) => string | undefined, arrived: (uris: readonly string[]) => void): DiskView;
  /** Files and folders of the workspace, `path` counted from the folder of `fromUri`; nothing outside of it. */
  listFolder(path: string, fromUri: string): readonly FolderEntry[];
  /** Uri of an existing file of the workspace. */
  linkTarget(path: string, fromUri: string): string | undefined;
  /** Uris of all `.strata` files of the workspace, capped. */
  sourceFiles(): readonly string[];
  /** Undefined for what is not a file on disk. */
  trainingPlace(uri: string): TrainingPlace | undefined;
  /** True if `folder` is a run of one of the workspace folders. */
  ownsRun(folder: string): boolean;
  /** Uri of the manual's folder, if it is there. */
  readonly manual?: string;
  /** Downloads a data file into a workspace folder; absent where there is none. */
  readonly fetch?: (address: Address, options: FetchOptions) => Promise<Fetched>;
  /** Absent where nothing can be trained. */
  readonly createRuns?: (options: RunsOptions) => RunManager;
}
