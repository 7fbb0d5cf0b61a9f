import { run } from '../process';

/** A build of PyTorch. */
export type Torch = 'cpu' | 'cuda';

/** Which build is installed; most models do without, and it is added when one needs it. */
export type WithTorch = Torch | 'none';

const CPU_INDEX = 'https://download.pytorch.org/whl/cpu';
const CUDA_INDEX_FOR_WINDOWS = 'https://download.pytorch.org/whl/cu128';

/** The build for this machine: CUDA where `nvidia-smi` lists a GPU. */
export async function chooseTorch(
  configured: 'auto' | Torch,
  platform: NodeJS.Platform = process.platform,
  listGpus: () => Promise<string> = nvidiaSmi,
): Promise<Torch> {
  if (configured !== 'auto') {
    return configured;
  }
  return platform !== 'darwin' && /^GPU \d+:/m.test(await listGpus()) ? 'cuda' : 'cpu';
}

/** The package index that has this build; undefined for the usual one. */
export function torchIndex(torch: Torch, configured: string, platform: NodeJS.Platform = process.platform): string | undefined {
  if (configured.trim() !== '') {
    return configured.trim();
  }
  if (platform === 'darwin') {
    return undefined; // there is one build only
  }
  if (torch === 'cpu') {
    return CPU_INDEX;
  }
  return platform === 'win32' ? CUDA_INDEX_FOR_WINDOWS : undefined;
}

/** Bytes, in words for the user and as a bound for the free space of the disk. */
export interface Footprint {
  readonly download: string;
  readonly disk: string;
  readonly diskBytes: number;
}

/** About how large an installation is. */
export const FOOTPRINTS: Readonly<Record<WithTorch, Footprint>> = {
  none: { download: '0.1 GB', disk: '0.4 GB', diskBytes: 0.4e9 },
  cpu: { download: '0.3 GB', disk: '1.3 GB', diskBytes: 1.3e9 },
  cuda: { download: '3 GB', disk: '7 GB', diskBytes: 7e9 },
};

async function nvidiaSmi(): Promise<string> {
  const outcome = await run('nvidia-smi', ['-L'], { timeoutMs: 15_000 });
  return outcome.kind === 'done' && outcome.code === 0 ? outcome.stdout : '';
}
