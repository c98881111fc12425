// Has two children that Node did not make (see the test): reaps them.
import { childExit, PidFd } from 'tripoll/net';

async function main(): Promise<void> {
  const [a = 0, b = 0] = process.argv.slice(2).map(Number);
  const byItself = await childExit(a, { reap: true });
  const endless = new PidFd(b);
  endless.kill(9);
  endless.close();
  const bySignal = await childExit(b, { reap: true });
  const twice = await childExit(b, { reap: true }).catch(
    (error: unknown) => (error as NodeJS.ErrnoException).code,
  );
  console.log(JSON.stringify({ byItself, bySignal, twice }));
}

void main();
