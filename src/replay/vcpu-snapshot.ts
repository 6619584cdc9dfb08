import { FieldReader, type FieldVisitor, FieldWriter } from './fields.ts';

/** What one vCPU's snapshot is made of: its plain fields, the backing events' buffer, the emulated PMU. */
export interface SnapshotParts {
  fields(visitor: FieldVisitor): void;
  readonly perf: { readonly buffer: ArrayBuffer };
  readonly pmu: { snapshot(): Uint8Array; restore(bytes: Uint8Array): unknown };
}

/** One buffer: fields, backing events, emulated PMU. */
export function snapshotVcpu(parts: SnapshotParts): Uint8Array {
  const writer = new FieldWriter();
  parts.fields(writer);
  const own = writer.bytes();
  const perf = new Uint8Array(parts.perf.buffer);
  const pmu = parts.pmu.snapshot();
  const bytes = new Uint8Array(own.length + perf.length + pmu.length);
  bytes.set(own);
  bytes.set(perf, own.length);
  bytes.set(pmu, own.length + perf.length);
  return bytes;
}

/** Takes back what `snapshotVcpu` made. */
export function restoreVcpu(parts: SnapshotParts, snapshot: Uint8Array): void {
  const bytes = snapshot.slice();
  const reader = new FieldReader(bytes);
  parts.fields(reader);
  const perf = new Uint8Array(parts.perf.buffer);
  perf.set(bytes.subarray(reader.length, reader.length + perf.length));
  parts.pmu.restore(bytes.subarray(reader.length + perf.length));
}
