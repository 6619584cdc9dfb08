/** -EBUSY and -EOPNOTSUPP as the kernel returns them. */
export const EBUSY = -16;
export const EOPNOTSUPP = -95;

/** What a host does with its own events around a mediated guest (semantics E.1), as data. */
export interface MediatedHostRules {
  readonly name: string;
  /** Creating the mediated VM fails with this error while an event that counts guests exists; 0: it never fails. */
  readonly vmRefused: number;
  /** Creating an event that counts guests fails with `error`: while a guest is loaded where it would count, or while a mediated VM exists. */
  readonly eventRefused: { readonly error: number; readonly while: 'guest-loaded' | 'vm-exists' };
  /** Events that count guests are moved to ERROR when a guest is loaded; nothing but an explicit enable revives them. */
  readonly loadMovesToError: boolean;
  /** For exclude_guest events the time a guest is loaded belongs to time_enabled, or to neither time. */
  readonly guestTime: 'enabled' | 'neither';
  readonly source: string;
}

/** The RFC of January 2024. */
export const MEDIATED_HOST_2024: MediatedHostRules = {
  name: 'x86-mediated-2024',
  vmRefused: 0,
  eventRefused: { error: EBUSY, while: 'guest-loaded' },
  loadMovesToError: true,
  guestTime: 'enabled',
  source: 'semantics E.1, column RFC',
};

/** As merged for 7.0. */
export const MEDIATED_HOST_7_0: MediatedHostRules = {
  name: 'x86-mediated-7.0',
  vmRefused: EBUSY,
  eventRefused: { error: EOPNOTSUPP, while: 'vm-exists' },
  loadMovesToError: false,
  guestTime: 'neither',
  source: 'semantics E.1, column merged',
};
