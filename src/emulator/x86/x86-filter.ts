import type { X86RuleSet } from '../../arch/x86-rules.ts';

/** KVM_SET_PMU_EVENT_FILTER as the VMM passes it (semantics B.10). Event words are 64-bit: bits 63:55 only with `masked`. */
export interface X86EventFilter {
  readonly action: 'allow' | 'deny' | number;
  readonly events: readonly bigint[];
  /** Bit i: fixed counter i. */
  readonly fixedBitmap: number;
  /** KVM_PMU_EVENT_FLAG_MASKED_EVENTS. */
  readonly masked: boolean;
  /** The raw flags word, where it is not just `masked`. */
  readonly flags?: number;
  /** nevents where it is not the number of events given. */
  readonly eventCount?: number;
}

const MOST_EVENTS = 300;
const EINVAL = -22;
const E2BIG = -7;
const UMASK = 0xff00n;
const UMASK_MASK = 0xffn << 56n;
const EXCLUDE = 1n << 55n;

/** One entry of the list in the masked form. */
interface Entry {
  /** Event select with AMD's high bits: bits 7:0 and 11:8. */
  readonly select: number;
  readonly match: number;
  readonly mask: number;
  readonly exclude: boolean;
}

function selectOf(low: number, high: number): number {
  return (low & 0xff) | ((high & 0xf) << 8);
}

/** The filter in force for one VM. */
export class CompiledFilter {
  readonly #deny: boolean;
  readonly #entries: readonly Entry[];
  readonly #fixedBitmap: number;
  readonly #intel: boolean;
  readonly #exact: boolean;

  private constructor(
    filter: X86EventFilter,
    entries: readonly Entry[],
    intel: boolean,
    exact: boolean,
  ) {
    this.#deny = filter.action === 'deny' || filter.action === 1;
    this.#entries = entries;
    this.#fixedBitmap = filter.fixedBitmap;
    this.#intel = intel;
    this.#exact = exact;
  }

  /** The filter, or the negative errno KVM answers. */
  static of(filter: X86EventFilter, rules: X86RuleSet, intel: boolean): CompiledFilter | number {
    const { action } = filter;
    if (typeof action === 'number' && action > 1) return EINVAL;
    const flags = filter.flags ?? (filter.masked ? 1 : 0);
    const allowed = rules.filter === 'masked' ? 1 : 0;
    if (rules.filter === 'none' || (flags & ~allowed) !== 0) return EINVAL;
    if ((filter.eventCount ?? filter.events.length) > MOST_EVENTS) return E2BIG;
    const eventBits = intel && rules.filter === 'masked' ? 0xffn : 0xf_0000_00ffn;
    const masked = (flags & 1) !== 0;
    const valid = masked ? eventBits | UMASK | UMASK_MASK | EXCLUDE : eventBits | UMASK;
    const entries: Entry[] = [];
    for (const event of filter.events) {
      if ((event & ~valid) !== 0n) {
        if (masked) return EINVAL;
        continue; // can never match
      }
      entries.push({
        select: selectOf(Number(event & 0xffn), Number((event >> 32n) & 0xfn)),
        match: Number((event >> 8n) & 0xffn),
        mask: masked ? Number(event >> 56n) : 0xff,
        exclude: masked && (event & EXCLUDE) !== 0n,
      });
    }
    return new CompiledFilter(filter, entries, intel, rules.filter === 'exact');
  }

  allowsFixed(i: number): boolean {
    return ((this.#fixedBitmap & (1 << i)) !== 0) !== this.#deny;
  }

  /** A GP counter with this selector. The exact form looks at bits 35:32 on Intel too (IN_TX makes it miss). */
  allowsGp(low: number, high: number): boolean {
    const select = selectOf(low, this.#intel && !this.#exact ? 0 : high);
    const umask = (low >> 8) & 0xff;
    let included = false;
    for (const entry of this.#entries) {
      if (entry.select !== select || (umask & entry.mask) !== entry.match) continue;
      if (entry.exclude) return this.#deny;
      included = true;
    }
    return included !== this.#deny;
  }
}
