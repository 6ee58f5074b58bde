export declare const PACKAGE_OF: Readonly<Record<string, string>>;
export declare const TEST_PACKAGE_OF: Readonly<Record<string, string>>;
export declare function installNeeded(found: {
  modulesStamp: number | undefined;
  lockStamp: number;
  recordedHash: string | undefined;
  lockHash: string;
}): boolean;
export declare function missingPackages(
  present: Record<string, boolean>,
  packageOf?: Readonly<Record<string, string>>,
): string[];
export declare function aptLine(packages: string[]): string;
export declare function packageAction(found: {
  packages: string[];
  isRoot: boolean;
  hasApt: boolean;
}): { action: 'nothing' } | { action: 'install' } | { action: 'tell'; message: string };
export declare function buildNeeded(stamps: { built: number | undefined; sources: number[] }): boolean;
export declare function lockIsStale(lock: {
  ownerPid: number | undefined;
  ageMs: number;
  isAlive: (pid: number) => boolean;
}): boolean;
export declare function checksWanted(args: string[]): boolean;
