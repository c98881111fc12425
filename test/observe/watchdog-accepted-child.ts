// A connection that a listener has accepted is slow. Prints what is told of it.
import { Reactor } from 'tripoll';
import { connect, listen, type TcpConnection } from 'tripoll/net';
import { Watchdog } from 'tripoll/observe';

let slowFd = -1;
const dog = new Watchdog(Reactor.default, {
  slowHandlerMs: 20,
  warn: false,
  onReport(report) {
    // Where all is loaded at once, others may be slow too.
    if (report.kind !== 'slow-handler' || report.fd !== slowFd) return;
    console.log(report.kind, report.name, report.openedAt);
    dog.close();
    Reactor.default.close();
  },
});

function spins(conn: TcpConnection): void {
  slowFd = conn.fd;
  const end = performance.now() + 30;
  while (performance.now() < end);
}

let port = 0;
function opensListener(): void {
  // To return what it gives would leave no frame of this function in Bun, whose engine has tail calls.
  port = listen('127.0.0.1:0', { data: spins }).localAddress?.port ?? 0;
}

opensListener();
connect(
  { host: '127.0.0.1', port },
  {
    open: (conn) => conn.write(new Uint8Array(1)),
    data() {},
  },
);
