/** CPU seconds (user + system) that `work` takes, and what it returns. */
export function cpu(work) {
  const before = process.cpuUsage();
  const result = work();
  const used = process.cpuUsage(before);
  return { seconds: (used.user + used.system) / 1e6, result };
}

/** As `cpu`, for work that is asynchronous. */
export async function cpuAsync(work) {
  const before = process.cpuUsage();
  const result = await work();
  const used = process.cpuUsage(before);
  return { seconds: (used.user + used.system) / 1e6, result };
}

/** The q-quantile (0 to 1) of numbers. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

export const median = (numbers) => quantile(numbers, 0.5);

/** `1.23` million per second. */
export const rate = (events, seconds) => `${(events / seconds / 1e6).toFixed(2)} M/s`;

/** Peak memory of this process so far, MB. */
export const peakMegabytes = () => Math.round(process.resourceUsage().maxRSS / 1024);
