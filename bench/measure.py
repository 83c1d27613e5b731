"""Runs a command and measures its whole process tree: wall time, CPU time, peak resident memory."""
import os
import subprocess
import time


def tree(root):
    """Process ids of `root` and its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry))
            except (OSError, IndexError):
                pass
    found, pending = [], [root]
    while pending:
        pid = pending.pop()
        found.append(pid)
        pending += children.get(pid, [])
    return found


def resident(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/statm") as statm:
                total += int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            pass
    return total


def note_cpu(pids, seen):
    """Notes the CPU seconds of each process so far: a child that nobody waits for, as Spark's JVM, is in no
    parent's account when it ends."""
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            seen[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError):
            pass


def measure(command, timeout=1200, **options):
    """Returns (seconds, CPU seconds, peak bytes, standard output). Raises when the command fails."""
    cpu = {}
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    peak = 0
    import threading
    output = {}
    reader = threading.Thread(target=lambda: output.update(zip(("out", "err"), process.communicate())))
    reader.start()
    while reader.is_alive():
        pids = tree(process.pid)
        peak = max(peak, resident(pids))
        note_cpu(pids, cpu)
        if time.monotonic() - start > timeout:
            process.kill()
        reader.join(0.05)
    seconds = time.monotonic() - start
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{output.get('err', '')[-4000:]}")
    return seconds, sum(cpu.values()), peak, output["out"]
