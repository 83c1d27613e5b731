"""TPC-H and TPC-DS through the plan, beside the same text as DuckDB's SQL by hand, Polars' SQL and Apache Spark.

Run: make bench-tpc. Data and texts come from DuckDB's generators (tests/tpc/tpc.py).
"""
import math
import pathlib
import statistics
import sys
import time

root = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(root / "tests/tpc"), str(root / "bench"), str(root / "tests/reference")]
import tpc  # noqa: E402
from measure import measure  # noqa: E402

BENCH = root / "build/release/bin/query_bench"


def prepared(suite, scale):
    data = root / f"data/bench/{suite}-{scale}"
    (data / "queries").mkdir(parents=True, exist_ok=True)
    texts = tpc.prepare(suite, scale, str(data))
    for number, text in texts.items():
        (data / f"queries/{number}.sql").write_text(text + "\n")
    return data, texts


def timed(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def spark_times(data, texts):
    from record_slt import session
    spark = session("local[2]")
    spark.sparkContext.setLogLevel("OFF")
    for table in tpc.tables(data):
        spark.read.parquet(f"{data}/{table}").createOrReplaceTempView(table)
    times = {}
    for number, text in sorted(texts.items()):
        times[number] = min(timed(lambda: spark.sql(text).toArrow()) for _ in range(3))
    spark.stop()
    return times


def polars_times(data, texts):
    import polars
    context = polars.SQLContext({table: polars.scan_parquet(f"{data}/{table}/data.parquet") for table in tpc.tables(data)})
    times = {}
    for number, text in sorted(texts.items()):
        try:
            times[number] = statistics.median(timed(lambda: context.execute(text).collect()) for _ in range(3))
        except Exception:  # Polars' SQL does not know the query's form
            pass
    return times


def main():
    data, texts = prepared("tpch", 1)
    print("TPC-H, scale 1: firesteel and DuckDB by hand, alternating in one process")
    ours = {}
    out = measure([BENCH, data, "--runs", "5"])[3]
    print(out)
    for line in out.splitlines():
        words = line.split()
        if words and words[0].isdigit():
            ours[int(words[0])] = float(words[1]) / 1e3
    peaks = [measure([BENCH, data, "--runs", "1", "--only", who])[2] for who in ("plan", "hand")]
    print(f"peak memory {peaks[0] / 1e6:.0f} MB and {peaks[1] / 1e6:.0f} MB: {peaks[0] / peaks[1]:.2f}x\n")
    for name, times in (("Polars' SQL", polars_times(data, texts)), ("Apache Spark, local[2], warm", spark_times(data, texts))):
        ratios = [times[number] / ours[number] for number in times]
        print(f"{name}: {len(times)} queries, {math.exp(statistics.fmean(map(math.log, ratios))):.2f}x of firesteel's time "
              f"(geometric mean), {sum(times.values()):.1f} s against {sum(ours[number] for number in times):.1f} s")
    data, texts = prepared("tpcds", 1)
    print("\nTPC-DS, scale 1: time until a query could run (parse, resolve, lower, DuckDB's plan)")
    print(measure([BENCH, data, "--planning", "--runs", "3"])[3].splitlines()[-1])
    print("TPC-DS, scale 1: firesteel and DuckDB by hand")
    print(measure([BENCH, data, "--runs", "1"])[3].splitlines()[-1])


if __name__ == "__main__":
    main()
