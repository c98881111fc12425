'use strict';
// Read before Jest in Bun, which opens fds of its own when it starts its first child, and keeps
// them: the test that had one first had left them open.
require('node:child_process').execFileSync('true');
