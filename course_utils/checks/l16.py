"""Checkers of lesson 16, speed and scale."""

import math
import time
from unittest.mock import patch

from course_utils._arguments import shown
from course_utils.exercises import checker, right, wrong

from ._answers import number

THEIRS = 2 * 100 * 1_000**3 / 1.65e9  # GFLOP/s


@checker("16.1")
def their_gflops(answer):
    """one number, in GFLOP/s."""
    mine = number(answer, "one number, such as 50")
    if math.isclose(mine, THEIRS, rel_tol=0.01):
        return right("A good processor for its time. Without the warming up it would have looked a little better.")
    mistakes = {
        THEIRS / 2: "A multiply-add is two operations.",
        THEIRS / 100: "There are a hundred products in the tensor.",
        THEIRS / 200: "There are a hundred products, and a multiply-add is two operations.",
        THEIRS * 1.65: "That is how many billion operations there are. Divide by the seconds.",
        THEIRS * 1.65**2: "Divide by the seconds; do not multiply with them.",
        THEIRS * 1e9: "GFLOP/s are billions of operations a second.",
        THEIRS / 1_000: "GFLOP/s are billions of operations a second, not thousands of billions.",
        THEIRS * 1_000: "GFLOP/s are billions of operations a second, not millions.",
    }
    for value, hint in mistakes.items():
        if math.isclose(mine, value, rel_tol=0.01):
            return wrong(f"{mine:g} is not it", hint=hint)
    return wrong(
        f"{mine:g} is not it",
        hint="One product takes n³ multiplications and as many additions. Count them all, and divide by the time.",
    )


class Device:
    """A device that takes orders at once and works on them later; its clock moves only when it is told to."""

    def __init__(self, durations):
        self.durations = list(durations)
        self.now, self.free, self.orders, self.waits = 100.0, 100.0, 0, 0

    def work(self):
        self.now += 0.001  # ordering takes time, too
        duration = self.durations[min(self.orders, len(self.durations) - 1)]
        self.free = max(self.free, self.now) + duration
        self.orders += 1

    def synchronize(self):
        self.now = max(self.now, self.free)
        self.waits += 1

    def sleep(self, seconds):
        self.now += seconds


def _measured(answer, durations, repeats):
    """The answer's time on such a device, with the device."""
    device = Device(durations)
    clock = {name: (lambda: device.now) for name in ("perf_counter", "time", "monotonic")}
    with patch.multiple(time, **clock, sleep=device.sleep):
        mine = answer(device.work, device.synchronize, repeats)
    return number(mine, "one number, the median in seconds", what="what your function returns"), device


@checker("16.2")
def stopwatch(answer):
    """a function of (work, synchronize, repeats) that returns the median time in seconds."""
    slow, fast = 50.0, [3.0, 1.0, 9.0, 2.0, 1.5]
    mine, device = _measured(answer, [slow, *fast], len(fast))
    if device.orders == 0:
        return wrong("`work` was never called", hint="`work()` with brackets orders the work.")
    if device.waits == 0:
        return wrong(
            "`synchronize` was never called", hint="Without it you time the ordering. Call it before you stop."
        )
    if device.orders != 1 + len(fast):
        hint = f"Call it once to warm up, and then once for each of the {len(fast)} repeats."
        return wrong(f"`work` was called {device.orders} times", hint=hint)
    if abs(mine) < 0.001:
        hint = "Write `time.perf_counter()`, with the module's name: that is the clock of this device."
        return wrong(f"your median is {mine:g} s", hint=hint)
    answers = {
        2.001: "",
        0.001: "That is how long the ordering takes. Call `synchronize()` before you read the clock again.",
        sum(fast) / len(fast) + 0.001: "That is the mean. One slow run moves it; the median hardly notices.",
        sum(fast) + 0.001 * len(fast): "That is the sum of all runs. Return the median of the single ones.",
        min(fast) + 0.001: "That is the fastest run. Return the median.",
        max(fast) + 0.001: "That is the slowest run. Return the median.",
    }
    for value, hint in answers.items():
        if math.isclose(mine, value, rel_tol=1e-6, abs_tol=1e-9):
            if hint:
                return wrong(f"your median is {mine:g} s, not {2.001:g} s", hint=hint)
            break
    else:
        hint = (
            "Each run begins when nothing else is under way: wait before you start the clock, and before you stop it."
        )
        return wrong(f"your median is {mine:g} s, not {2.001:g} s", hint=hint)
    mine, _ = _measured(answer, [5.0, 4.0], 1)
    if not math.isclose(mine, 4.001, rel_tol=1e-6):
        hint = "The warming up must be over when the clock starts: wait for it, too."
        return wrong(f"for one repeat your median is {mine:g} s, not 4.001 s", hint=hint)
    mine, _ = _measured(answer, [7.0, 4.0, 2.0], 2)
    if not math.isclose(mine, 3.001, rel_tol=1e-6):
        hint = "For an even number of runs, the median is the mean of the two in the middle. `statistics.median` knows."
        return wrong(f"for two repeats your median is {mine:g} s, not 3.001 s", hint=hint)
    return right("`torch.utils.benchmark` does this and more. On a CPU, `synchronize` has nothing to wait for.")


def _own_times(trace):
    own, inside = {}, []
    for name, start, end in sorted(trace, key=lambda event: (event[1], -event[2])):
        while inside and inside[-1][2] <= start:
            inside.pop()
        own[name] = own.get(name, 0) + end - start
        if inside:
            own[inside[-1][0]] -= end - start
        inside.append((name, start, end))
    return own


TRACES = {
    "a loader that waits": [("step", 0, 100), ("load", 0, 70), ("forward", 70, 80), ("backward", 80, 98)],
    "many small ones": [("step", 0, 90), *[("relu", k, k + 4) for k in range(0, 60, 5)], ("conv", 60, 85)],
    "nested": [("epoch", 0, 200), ("step", 0, 100), ("conv", 10, 90), ("mul", 20, 40), ("step", 100, 200),
               ("conv", 105, 195), ("pool", 110, 185)],
    "in another order": [("conv", 10, 90), ("mul", 20, 40), ("epoch", 0, 200), ("step", 0, 100), ("wait", 100, 190)],
    "three deep": [("loop", 0, 100), ("conv", 0, 45), ("im2col", 5, 40)],
    "together from the start": [("load", 0, 6), ("step", 0, 10)],
    "one": [("alone", 3, 4)],
    "an outer one": [("python", 0, 100), ("conv", 10, 30), ("pool", 40, 60)],
}  # fmt: skip


@checker("16.3")
def bottleneck(answer):
    """a function of a trace, a list of (name, start, end), that returns a name."""
    for title, trace in TRACES.items():
        own = _own_times(trace)
        expected = max(own, key=own.get)
        mine = answer([tuple(event) for event in trace])
        if not isinstance(mine, str):
            return wrong(f"your function returns {shown(mine)}", hint="Return a name, such as 'conv'.")
        if mine == expected:
            continue
        if mine not in own:
            return wrong(f"your function returns {mine!r}", hint=f"One of the names: {', '.join(own)}.")
        total = {name: sum(end - start for other, start, end in trace if other == name) for name in own}
        leaves = [a for a in trace if not any(a[1] <= b[1] and b[2] <= a[2] and a != b for b in trace)]
        longest = max(leaves, key=lambda event: event[2] - event[1])[0]
        finding = f"in the trace {title!r} you name {mine!r}, which has {own[mine]} ms by itself"
        if mine == max(total, key=total.get):
            hint = "The outermost contains the others. From each event, take the time of those directly inside it. "
            hint += "They may begin or end together with it, and come in any order."
        elif mine == longest and sum(name == expected for name, _, _ in trace) > 1:
            hint = "Add up all events of a name: many short ones can take longer than one long one."
        else:
            hint = (
                f"{expected!r} has more. Only events directly inside are subtracted, not those inside of these again."
            )
        return wrong(finding, hint=hint)
    return right("Profilers call this self time. Sort by it first, and by the total to see who calls whom.")


@checker("16.4")
def speed_up(answer):
    """a function of the number of processes that returns a factor."""
    for workers in (1, 2, 3, 8, 1_000):
        mine, expected = (
            number(answer(workers), "one number", what=f"the factor for {workers} processes"),
            4 / (1 + 3 / workers),
        )
        if math.isclose(mine, expected, rel_tol=1e-4):
            continue
        finding = f"for {workers} process{'es' * (workers > 1)} your factor is {mine:g}"
        mistakes = {
            1 / expected: "A factor above 1 is faster: the old time divided by the new one.",
            40 / expected: "That is the new time. Divide the old one by it.",
            40 - 40 / expected: "Those are the seconds saved. Divide the old time by the new one.",
            30 / (10 + 30 / workers): "The old time is 40 s: preparing and computing.",
            40 / (30 + 10 / workers): "The processes share the computing, not the images.",
            40 / max(10, 30 / workers): "Nothing overlaps: in the 10 s nothing else happens.",
            float(round(expected, 1)): "Do not round.",
        }
        if math.isclose(mine, workers, rel_tol=1e-4):
            return wrong(finding, hint="The 10 s stay as they are, however many processes there are.")
        for value, hint in mistakes.items():
            if math.isclose(mine, value, rel_tol=1e-4):
                return wrong(finding, hint=hint)
        return wrong(finding, hint="The new time is 10 s and the processes' share of 30 s. Divide 40 s by it.")
    return right("This is Amdahl's law: a thousand processes stay below a factor of 4. Shorten the 10 s first.")
