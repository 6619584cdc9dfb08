/** Compiles the library into a folder. The compiler's complaints, '' for none. */
export function buildLibrary(folder: string): string;
/** Bundles the command line into `folder`/cli, which it replaces. */
export function buildProgram(folder: string): Promise<void>;
