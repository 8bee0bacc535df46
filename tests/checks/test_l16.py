"""Every exercise of lesson 16: its solution is right, a stub unattempted, typical mistakes get the hint they need."""

import statistics
import time
from time import perf_counter

from course_utils.exercises import check
from tests.checks.checkers import Checkers


def stopwatch(work, synchronize, repeats, *, warm=True, before=True, after=True, summary=statistics.median):
    if warm:
        work()
    taken = []
    for _ in range(repeats):
        if before:
            synchronize()
        start = time.perf_counter()
        work()
        if after:
            synchronize()
        taken.append(time.perf_counter() - start)
    return summary(taken)


def warmed_and_waited_once(work, synchronize, repeats):
    work()
    synchronize()
    return stopwatch(work, synchronize, repeats, warm=False, before=False)


def real_clock(work, synchronize, repeats):
    work()
    taken = []
    for _ in range(repeats):
        synchronize()
        start = perf_counter()
        work()
        synchronize()
        taken.append(perf_counter() - start)
    return statistics.median(taken)


def all_at_once(work, synchronize, repeats):
    work()
    synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    synchronize()
    return (time.perf_counter() - start) / repeats


def lower_middle(values):
    return sorted(values)[(len(values) - 1) // 2]


def own_times(trace):
    own = dict.fromkeys((name for name, _, _ in trace), 0)
    for name, start, end in trace:
        own[name] += end - start
        around = [each for each in trace if each[1] <= start and end <= each[2] and each[1:] != (start, end)]
        if around:
            own[min(around, key=lambda each: each[2] - each[1])[0]] -= end - start
    return own


def bottleneck(trace):
    own = own_times(trace)
    return max(own, key=own.get)


def by_total(trace):
    total = {}
    for name, start, end in trace:
        total[name] = total.get(name, 0) + end - start
    return max(total, key=total.get)


def longest(trace):
    inner = [each for each in trace if not any(each[1] <= o[1] and o[2] <= each[2] and o != each for o in trace)]
    return max(inner, key=lambda each: each[2] - each[1])[0]


def by_start_alone(trace):
    """Forgets that of two events which begin together the longer one is around the other."""
    own, inside = {}, []
    for name, start, end in sorted(trace, key=lambda each: each[1]):
        while inside and inside[-1][2] <= start:
            inside.pop()
        own[name] = own.get(name, 0) + end - start
        if inside:
            own[inside[-1][0]] -= end - start
        inside.append((name, start, end))
    return max(own, key=own.get)


def all_inside(trace):
    """Takes away whatever is inside, however deep."""
    own = {}
    for name, start, end in trace:
        inner = [e - s for _, s, e in trace if start <= s and e <= end and (s, e) != (start, end)]
        own[name] = own.get(name, 0) + end - start - sum(inner)
    return max(own, key=own.get)


class Test(Checkers):
    RIGHT = {
        "16.1": 121.2,
        "16.2": stopwatch,
        "16.3": bottleneck,
        "16.4": lambda workers: 40 / (10 + 30 / workers),
    }
    WRONG = [
        ("16.1", 60.6, "two operations"),
        ("16.1", 1.21, "a hundred products"),
        ("16.1", 0.606, "and a multiply-add"),
        ("16.1", 200, "Divide by the seconds"),
        ("16.1", 330, "do not multiply"),
        ("16.1", 1.212e11, "billions"),
        ("16.1", 0.1212, "not thousands of billions"),
        ("16.1", 121_200, "not millions"),
        ("16.1", 77, "as many additions"),
        ("16.2", lambda *given: stopwatch(*given, before=False, after=False), "never called"),
        ("16.2", lambda *given: stopwatch(*given, after=False), "how long the ordering takes"),
        ("16.2", lambda *given: stopwatch(*given, before=False), "must be over"),
        ("16.2", lambda *given: stopwatch(*given, warm=False), "to warm up"),
        ("16.2", lambda *given: stopwatch(*given, summary=statistics.mean), "is the mean"),
        ("16.2", lambda *given: stopwatch(*given, summary=sum), "is the sum"),
        ("16.2", lambda *given: stopwatch(*given, summary=min), "fastest"),
        ("16.2", lambda *given: stopwatch(*given, summary=max), "slowest"),
        ("16.2", lambda *given: stopwatch(*given, summary=lower_middle), "even number"),
        ("16.2", all_at_once, "before you start the clock"),
        ("16.2", real_clock, "with the module's name"),
        ("16.2", lambda work, synchronize, repeats: 2.0, "with brackets"),
        ("16.3", by_total, "contains the others"),
        ("16.3", by_start_alone, "any order"),
        ("16.3", longest, "Add up all events"),
        ("16.3", all_inside, "directly inside"),
        ("16.3", lambda trace: own_times(trace), "Return a name"),
        ("16.3", lambda trace: "nobody", "One of the names"),
        ("16.4", lambda workers: workers, "stay as they are"),
        ("16.4", lambda workers: (10 + 30 / workers) / 40, "above 1"),
        ("16.4", lambda workers: 10 + 30 / workers, "new time"),
        ("16.4", lambda workers: 30 - 30 / workers, "seconds saved"),
        ("16.4", lambda workers: 30 / (10 + 30 / workers), "old time is 40"),
        ("16.4", lambda workers: 2 * workers, "share of 30 s"),
        ("16.4", lambda workers: 40 / (30 + 10 / workers), "not the images"),
        ("16.4", lambda workers: 40 / max(10, 30 / workers), "Nothing overlaps"),
        ("16.4", lambda workers: round(40 / (10 + 30 / workers), 1), "Do not round"),
    ]


def test_other_ways_to_be_right():
    assert check("16.1", 200 / 1.65) and check("16.1", 121) and check("16.1", "121").status == "wrong"
    assert check("16.2", warmed_and_waited_once)
    assert check("16.4", lambda workers: 4 * workers / (workers + 3))
