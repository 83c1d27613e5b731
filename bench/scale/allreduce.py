"""What a thousand executors would cost: models and simulations whose tables docs/scale.md quotes. Nothing here is measured.

usage: python bench/scale/allreduce.py [start|allreduce|stragglers|failures]   (all of them in some seconds; numpy; seeded)
Links are counted at 90% of their rate, a message costs `ALPHA_S` besides its bytes, and sums are made at memory's speed.
"""
import math
import sys

import numpy

EXECUTORS = 1000
LINKS_GBIT = (1, 10, 25, 100)
ALPHA_S = {1: 60e-6, 10: 40e-6, 25: 30e-6, 100: 25e-6}  # TCP through the kernel, from send to receive
LINK_SHARE = 0.9
TCP_BYTES_S = 3e9  # what one thread of Gloo's moves through the kernel, on however fast a link
SUM_BYTES_S = 8e9
MEMORY_BYTES_S = 10e9  # between processes of one node
NODE_EXECUTORS = 4
MODELS = {"1 MB": 1e6, "100 MB": 1e8, "1 GB": 1e9}
DAY_S, YEAR_S = 86400, 365 * 86400


def table(title, head, rows):
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def seconds(value):
    if value >= 86400:
        return f"{value / 86400:.1f} d"
    if value >= 5400:
        return f"{value / 3600:.1f} h"
    if value >= 100:
        return f"{value / 60:.1f} min"
    if value >= 1:
        return f"{value:.1f} s"
    return f"{value * 1e3:.1f} ms" if value >= 1e-4 else f"{value * 1e6:.0f} µs"


def size(value):
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"


def link_bytes_s(gbit):
    return gbit * 1e9 / 8 * LINK_SHARE


# Until the first step.

def start():
    archives = {"program alone, 250 MB": 250e6, "with libtorch, 600 MB": 600e6}
    rows = []
    for name, archive in archives.items():
        for gbit in (10, 25):
            rate = link_bytes_s(gbit)
            nodes = EXECUTORS // NODE_EXECUTORS
            # Torrent: rounds double the holders of a 4 MB block; blocks follow each other.
            torrent = archive / rate + math.ceil(math.log2(nodes)) * 4e6 / rate
            rows.append([name, f"{gbit} GbE", seconds(EXECUTORS * archive / rate), seconds(nodes * archive / rate),
                         seconds(2 * torrent), seconds(archive / min(rate, 500e6)), "0"])
    table(f"The program's way to {EXECUTORS} executors on {EXECUTORS // NODE_EXECUTORS} nodes",
          ["archive", "driver's link", "driver to each executor", "driver to each node", "torrent broadcast",
           "object store to each node", "on the nodes before"], rows)

    rows = []
    for count in (16, 100, EXECUTORS):
        row = [f"{count:,}"]
        # A rank tells 154 bytes and 8 for each other rank, and asks the store for what each of the others tells.
        for size_of_group, groups in ((count, 1), (round(math.sqrt(count)), 2 * round(math.sqrt(count)))):
            pairs = size_of_group * (size_of_group - 1)
            told = groups * pairs * (154 + 8 * size_of_group)
            row += [f"{groups * pairs // 2:,}", f"{(size_of_group - 1) * (1 if groups == 1 else 2)}", size(told),
                    seconds(max(told / link_bytes_s(10), groups * pairs / 100e3))]
        rows.append(row)
    table("Gloo's full mesh through one store (10 GbE, 100,000 answers/s): all ranks in one group | groups of √N, and groups across",
          ["ranks", "connections", "of a rank", "store sends", "takes", "connections", "of a rank", "store sends", "takes"], rows)

    rows = []
    for count in (2, 100, 1000, 4000):
        message = 64
        rows.append([f"{count}", seconds(count / 2000), size(count * count * message),
                     seconds(count * count * message / link_bytes_s(10) + count * 50e-6)])
    table("A barrier stage: launching 2,000 tasks/s, then an all-gather of 64 B through the driver (10 GbE)",
          ["tasks", "launched in", "driver sends", "all-gather"], rows)


# One allreduce.

def rates(gbit):
    return ALPHA_S[gbit], min(link_bytes_s(gbit), TCP_BYTES_S)


def ring(count, model, gbit):
    alpha, rate = rates(gbit)
    return 2 * (count - 1) * alpha + 2 * (count - 1) / count * model / rate + model / SUM_BYTES_S


def halving_doubling(count, model, gbit):
    """Ranks beyond a power of two hand their vector to a partner and take the result back."""
    alpha, rate = rates(gbit)
    whole = 2 ** int(math.log2(count))
    extra = 2 * (alpha + model / rate) + model / SUM_BYTES_S if whole < count else 0
    return extra + 2 * math.log2(whole) * alpha + 2 * (whole - 1) / whole * model / rate + model / SUM_BYTES_S


def hierarchical(count, model, gbit, between=ring):
    """A node's processes add through memory, one of them goes on, the result goes back through memory."""
    inside = 2 * (NODE_EXECUTORS - 1) * model / MEMORY_BYTES_S + 2e-5
    return inside + between(max(1, count // NODE_EXECUTORS), model, gbit)


def groups_of(count, model, gbit):
    """Two levels of rings: reduce-scatter in a group, allreduce of the share between groups, all-gather in the group."""
    alpha, rate = rates(gbit)
    group = 2 ** round(math.log2(math.sqrt(count)))
    groups = math.ceil(count / group)
    inside = 2 * (group - 1) * alpha + 2 * (group - 1) / group * model / rate
    share = model / group
    outside = 2 * (groups - 1) * alpha + 2 * (groups - 1) / groups * share / rate
    return inside + outside + model / SUM_BYTES_S


ALGORITHMS = {"ring": ring, "halving-doubling": halving_doubling, "rings in two levels": groups_of,
              f"{NODE_EXECUTORS} a node, then a ring": hierarchical}


def allreduce():
    rows = []
    for name, model in MODELS.items():
        for gbit in LINKS_GBIT:
            rows.append([name, f"{gbit} GbE"] + [seconds(way(EXECUTORS, model, gbit)) for way in ALGORITHMS.values()])
    table(f"One allreduce among {EXECUTORS}", ["gradients", "link", *ALGORITHMS], rows)

    rows = []
    for count in (2, 10, 100, 1000):
        rows.append([f"{count}"] + [seconds(ring(count, model, 10)) for model in MODELS.values()]
                    + [seconds(groups_of(count, model, 10)) for model in MODELS.values()])
    table("By number of ranks, 10 GbE", ["ranks", *(f"ring, {m}" for m in MODELS), *(f"two levels, {m}" for m in MODELS)], rows)

    rows = []
    for name, model in MODELS.items():
        for compute in (0.1, 1.0, 10.0):
            row = [name, seconds(compute)]
            for gbit in (10, 25, 100):
                one = groups_of(EXECUTORS, model, gbit)
                overlapped = max(compute, one + compute / 3)  # gradients are there from a third of the step on
                row.append(f"{compute / (compute + one):.0%} / {compute / overlapped:.0%} / {compute * 16 / (compute * 16 + one):.0%}")
            rows.append(row)
    table("Share of the time that is computing: allreduce after the step / overlapped with it / after every 16th step (two levels)",
          ["gradients", "a step computes", "10 GbE", "25 GbE", "100 GbE"], rows)


# Waiting for the slowest.

def steps(kind, random, count, number):
    """Seconds of `number` steps of `count` workers, of mean near 1."""
    body = random.lognormal(-0.005, 0.1, (number, count))
    if kind == "even (10% spread)":
        return body
    if kind == "hiccups (1% of steps take 3 times)":
        return body * numpy.where(random.random((number, count)) < 0.01, 3, 1)
    if kind == "slow nodes (1% of workers at half speed)":
        slow = numpy.ones(count)
        slow[:int(round(count * 0.01))] = 2
        return body * slow
    tail = random.pareto(3.0, (number, count)) * 0.2  # rare and long: page-outs, lost packets, neighbours
    return body + tail


KINDS = ("even (10% spread)", "hiccups (1% of steps take 3 times)", "slow nodes (1% of workers at half speed)", "long tail (Pareto, 3)")


def stragglers():
    random = numpy.random.default_rng(7)
    number = 960
    first, second = [], []
    for kind in KINDS:
        row = [kind]
        for count in (2, 10, 100, EXECUTORS):
            times = steps(kind, random, count, number)
            row.append(f"{times.mean() / times.max(axis=1).mean():.0%}")
        first.append(row)
        mean = times.mean()
        every = {h: times.reshape(number // h, h, -1).sum(axis=1).max(axis=1).mean() / h for h in (1, 8, 32)}
        ordered = numpy.sort(times, axis=1)
        # Work counted: that of workers whose gradient was used.
        dropped = {share: mean * (1 - share) / ordered[:, int(EXECUTORS * (1 - share)) - 1].mean() for share in (0.01, 0.05)}
        # A copy of the work of whoever is late by half, on a spare, begun at 1.5 times the median.
        late = 1.5 * numpy.median(times, axis=1, keepdims=True)
        copies = numpy.minimum(times, late + steps(KINDS[0], random, EXECUTORS, number))
        spare = (times > late).mean()
        without = numpy.delete(times, numpy.argsort(times.mean(axis=0))[-EXECUTORS // 50:], axis=1)
        second.append([kind] + [f"{mean / value:.0%}" for value in every.values()]
                      + [f"{value:.0%}" for value in dropped.values()]
                      + [f"{mean / copies.max(axis=1).mean():.0%} ({spare:.1%})",
                         f"{mean * (1 - 0.02) / without.max(axis=1).mean():.0%}"])
    table("Useful share of the workers' time when each step waits for the slowest: by number of workers",
          ["step times", "2", "10", "100", f"{EXECUTORS}"], first)
    table(f"The same for {EXECUTORS}, with remedies",
          ["step times", "every step", "every 8th (local SGD)", "every 32nd", "slowest 1% dropped", "slowest 5% dropped",
           "copies of late work (share copied)", "slowest 2% of workers sent away"], second)


# Failures.

def lost_share(interval, checkpoint, restart, mtbf):
    """Of the time: writing, and work done again after failures that come as a Poisson process (Daly's exact form)."""
    return 1 - interval / (mtbf * math.exp(restart / mtbf) * (math.exp((interval + checkpoint) / mtbf) - 1))


def simulate(interval, checkpoint, restart, mtbf, random):
    work = 1000 * mtbf
    done, clock, next_failure = 0.0, 0.0, random.exponential(mtbf)
    while done < work:
        end = clock + interval + checkpoint
        if next_failure >= end:
            clock, done = end, done + interval
            continue
        clock = next_failure
        while True:  # a failure during the restart begins it anew
            next_failure = clock + random.exponential(mtbf)
            if next_failure >= clock + restart:
                clock += restart
                break
            clock = next_failure
    return 1 - done / clock


def failures():
    random = numpy.random.default_rng(11)
    rows = []
    for name, one in (("3 years (own machines)", 3 * YEAR_S), ("6 months", YEAR_S / 2), ("30 days (reclaimed ones)", 30 * DAY_S)):
        mtbf = one / EXECUTORS
        for checkpoint, restart in ((2, 60), (20, 60), (20, 300)):
            young = math.sqrt(2 * checkpoint * mtbf)
            # Daly's correction of Young's interval for checkpoints that are not short.
            daly = young * (1 + math.sqrt(checkpoint / (2 * mtbf)) / 3 + checkpoint / (18 * mtbf)) - checkpoint
            week = 7 * DAY_S / mtbf
            rows.append([name, seconds(mtbf), seconds(checkpoint), seconds(restart), seconds(young), seconds(daly),
                         f"{lost_share(daly, checkpoint, restart, mtbf):.1%}", f"{simulate(daly, checkpoint, restart, mtbf, random):.1%}",
                         f"{lost_share(3600, checkpoint, restart, mtbf):.1%}", f"{week:.0f}"])
    table(f"{EXECUTORS} executors, any of whose failures ends the step of all",
          ["an executor's mean time to failure", "the job's", "checkpoint", "restart", "Young's interval", "Daly's", "lost: formula",
           "simulated", "lost, hourly checkpoints", "failures a week"], rows)

    rows = []
    for hours in (0.5, 2, 8, 24):
        row = [seconds(hours * 3600)]
        for one in (3 * YEAR_S, YEAR_S / 2, 30 * DAY_S):
            fails = 1 - math.exp(-hours * 3600 * EXECUTORS / one)
            row.append(f"{fails:.2g} / {fails ** 4:.2g}")
        rows.append(row)
    table("Chance that a barrier stage of so long a time fails: once, which ends a job whose last stage it is / 4 times running, "
          "which ends any", ["stage", "3 years", "6 months", "30 days"], rows)

    rows = []
    for name, model in MODELS.items():
        state = 3 * model  # weights and Adam's two moments
        rows.append([name, size(state), seconds(state / 500e6), seconds(state / EXECUTORS / 500e6 + 0.05),
                     seconds(EXECUTORS * state / link_bytes_s(10)), seconds(state / link_bytes_s(10) * 2)])
    table("A checkpoint (weights and Adam's moments) and its way back",
          ["weights", "checkpoint", "written by rank 0 at 500 MB/s", "a share by each", "read by each from a 10 GbE store",
           "read once, broadcast"], rows)


PARTS = {"start": start, "allreduce": allreduce, "stragglers": stragglers, "failures": failures}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
