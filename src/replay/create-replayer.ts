import { Arm64Replayer } from './arm64/arm64-replayer.ts';
import type { ReplayConfig } from './replay-config.ts';
import type { Replayer } from './replayer.ts';
import { X86Replayer } from './x86/x86-replayer.ts';

/** The replayer for a configuration's architecture, at the start of the log. */
export function createReplayer(config: ReplayConfig): Replayer {
  return config.arch === 'arm64' ? new Arm64Replayer(config) : new X86Replayer(config);
}
