"""Progress of one operation as a bar: redrawn in place on a terminal, one line a step elsewhere."""

import sys
import time

WIDTH = 32


class Bar:
    """Give it every payload of a progress stream."""

    def __init__(self, out=sys.stdout):
        self.out, self.live = out, out.isatty()
        self.step, self.began, self.last = None, {}, None

    def __call__(self, payload):
        step = payload.get("step") or "waiting"
        # Steps that run side by side take turns in the stream; each gets one line.
        if step not in self.began:
            if self.last:
                self._finish()
            self.began[step] = time.monotonic()
        self.step, self.last = step, payload
        if self.live:
            self.out.write("\r\x1b[K" + self._line())
            self.out.flush()
        if payload.get("done"):
            self._finish()
            self.last = None

    def _finish(self):
        self.out.write(("\r\x1b[K" if self.live else "") + self._line() + "\n")
        self.out.flush()

    def _line(self):
        payload = self.last
        percent = float(payload.get("percent") or 0)
        filled = int(percent / 100 * WIDTH)
        index, count = payload.get("stepIndex") or 0, payload.get("stepCount") or 0
        done, total = payload.get("bytesDone") or 0, payload.get("bytesTotal") or 0
        sizes = f"{size(done)} of {size(total)}" if total else size(done) if done else ""
        return (f"  {'█' * filled}{'░' * (WIDTH - filled)} {percent:5.1f} %  {index:2}/{count:<2} {self.step:<20} "
                f"{time.monotonic() - self.began[self.step]:5.1f} s  {sizes}")


def size(count):
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return ""
