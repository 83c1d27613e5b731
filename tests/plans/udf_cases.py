# PySpark code with Python functions: each function here is a case that gives a DataFrame.
# record_udfs.py records its plan, the functions it registers and what Apache Spark answers.
# `spark`, `F`, `T`, `W`, `pd`, `pa`, `people`, `numbers`, `years` are there.


def plain_function():
    return people.select(F.udf(lambda n: n.upper() if n else None, "string")("name"))


def pickled_function():
    return people.select("name", F.udf(lambda a, b: a + len(b or "") if a else None, "int", useArrow=False)("age", "name"))


def arrow_function():
    return people.select(F.udf(lambda a, b: (a or 0) * 2 + (b or 0), "double", useArrow=True)("age", "height").alias("x"))


def pickled_types():
    f = F.udf(lambda *a: repr(a), "string", useArrow=False)
    return spark.sql(
        "SELECT true b, 1Y y, 2S s, 3 i, 4L l, 1.5F f, 2.5D d, 3.25BD c, 'é' t, X'00ff' x, null n, array(1, 2) a, map('k', 1) m"
    ).select(f("b", "y", "s", "i", "l", "f", "d", "c", "t", "x", "n", "a", "m"))


def pickled_types_by_schema():
    f = F.udf(lambda *a: repr(a), "string", useArrow=False)
    return spark.sql(
        "SELECT DATE'2024-02-29' d, TIMESTAMP'2024-01-02 03:04:05.678901' t, TIMESTAMP_NTZ'1969-12-31 23:59:59' n, "
        "INTERVAL '1 02:03:04.5' DAY TO SECOND i, struct(1 AS a, 'x' AS b) s, array(struct(2 AS c)) r, "
        "map('k', DATE'2020-01-01') m, 5 v"
    ).select(f("d", "t", "n", "i", "s", "r", "m", "v"))


def arrow_types():
    f = F.udf(lambda *a: repr(a), "string", useArrow=True)
    return spark.sql(
        "SELECT true b, 1Y y, 2S s, 3 i, 4L l, 1.5F f, 2.5D d, 3.25BD c, 'é' t, X'00ff' x, null n, array(1, 2) a, map('k', 1) m, "
        "DATE'2024-02-29' dt, TIMESTAMP_NTZ'1969-12-31 23:59:59' nt, INTERVAL '1 02:03:04.5' DAY TO SECOND iv, "
        "struct(1 AS a, 'x' AS b) st, array(struct(2 AS c)) r, TIMESTAMP'2024-01-02 03:04:05.678901' ts"
    ).select(f("b", "y", "s", "i", "l", "f", "d", "c", "t", "x", "n", "a", "m", "dt", "nt", "iv", "st", "r", "ts"))


def pickled_results():
    import datetime
    import decimal
    values = [True, 7, 2.5, "t", b"ab", decimal.Decimal("1.25"), datetime.date(2024, 2, 29),
              datetime.datetime(2024, 1, 2, 3, 4, 5, 6), [1, None, 3], {"a": 1}, (1, "x"), datetime.timedelta(days=1, seconds=2)]
    kinds = ["boolean", "int", "double", "string", "binary", "decimal(10,3)", "date", "timestamp", "array<int>",
             "map<string,int>", "struct<a:int,b:string>", "interval day to second"]
    return spark.range(1).select(*[F.udf(lambda _, v=v: v, k, useArrow=False)("id").alias(f"c{i}")
                                   for i, (v, k) in enumerate(zip(values, kinds))])


def pickled_results_of_other_types():
    return spark.range(1).select(*[F.udf(lambda _, v=v: v, k, useArrow=False)("id").alias(f"c{i}") for i, (v, k) in enumerate([
        (1.5, "int"), ("1", "int"), (1, "double"), (True, "int"), (1, "string"), (1.5, "string"), (True, "string"),
        ([1, "a"], "string"), ({"k": 2}, "string"), (2**40, "int"), (1, "decimal(5,2)"), ("x", "binary"), (300, "byte")])])


def arrow_results():
    import datetime
    import decimal
    values = [True, 7, 2.5, "t", b"ab", decimal.Decimal("1.25"), datetime.date(2024, 2, 29),
              datetime.datetime(2024, 1, 2, 3, 4, 5, 6), [1, None, 3], {"a": 1}, (1, "x"), datetime.timedelta(days=1, seconds=2)]
    kinds = ["boolean", "int", "double", "string", "binary", "decimal(10,3)", "date", "timestamp", "array<int>",
             "map<string,int>", "struct<a:int,b:string>", "interval day to second"]
    return spark.range(1).select(*[F.udf(lambda _, v=v: v, k, useArrow=True)("id").alias(f"c{i}")
                                   for i, (v, k) in enumerate(zip(values, kinds))])


def no_arguments():
    return spark.range(3).select("id", F.udf(lambda: 42, "int", useArrow=True)(), F.udf(lambda: "x", "string", useArrow=False)())


def keyword_arguments():
    f = F.udf(lambda a, b: f"{a}-{b}", "string", useArrow=False)
    return people.select(f(F.col("age"), b=F.col("name")), F.udf(lambda a, b: f"{a}+{b}", "string", useArrow=True)(b="age", a="name"))


def nested_functions():
    f = F.udf(lambda a: a + 1, "long", useArrow=False)
    g = F.udf(lambda a: a * 10, "long", useArrow=True)
    return spark.range(5).select(f(g(f("id"))), g(F.col("id") + f("id")))


def in_a_filter():
    f = F.udf(lambda a: a is not None and a > 40, "boolean")
    return people.filter(f("age")).select("name", "age")


def in_a_join():
    f = F.udf(lambda a, b: a == b, "boolean")
    return people.join(numbers, f(people.age, numbers.n)).select("name", "word")


def in_an_aggregate():
    f = F.udf(lambda a: len(a) if a else 0, "int")
    return people.groupBy("city").agg(F.sum(f("name")).alias("s")).orderBy("city")


def as_a_key():
    f = F.udf(lambda a: (a or 0) // 50, "int")
    return people.groupBy(f("age").alias("k")).count().orderBy("k")


def as_an_order():
    f = F.udf(lambda a: -(a or 0), "int")
    return people.select("name", "age").orderBy(f("age"))


def with_a_column():
    f = F.udf(lambda a: (a or 0) + 1, "int")
    return people.withColumn("more", f("age")).withColumn("more", f("more")).filter("more > 38")


def in_a_condition():
    f = F.udf(lambda a: 100 // (a or 1), "int")
    return spark.range(3).select(F.when(F.col("id") > 0, f("id")).otherwise(-1))


def over_a_window():
    f = F.udf(lambda a: a * 2, "long")
    return spark.range(4).select("id", F.sum(f("id")).over(W.orderBy("id")).alias("s"))


def pandas_scalar():
    @F.pandas_udf("long")
    def plus(a: pd.Series, b: pd.Series) -> pd.Series:
        return a + b
    return spark.range(5).select(plus("id", F.col("id") * 10))


def pandas_struct():
    @F.pandas_udf("a long, b string")
    def both(s: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"a": s["id"] * 2, "b": s["t"].str.upper()})
    return spark.range(3).select(F.struct("id", F.lit("x").alias("t")).alias("s")).select(both("s").alias("r")).select("r.*")


def pandas_timestamps():
    @F.pandas_udf("timestamp")
    def later(t: pd.Series) -> pd.Series:
        return t + pd.Timedelta(hours=1)
    return spark.sql("SELECT TIMESTAMP'2024-03-31 01:30:00' t").select(later("t"))


def pandas_iterator():
    from typing import Iterator

    @F.pandas_udf("long")
    def plus(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        start = 100
        for batch in batches:
            yield batch + start
    return spark.range(5).select(plus("id"))


def pandas_iterator_of_tuples():
    from typing import Iterator, Tuple

    @F.pandas_udf("long")
    def times(batches: Iterator[Tuple[pd.Series, pd.Series]]) -> Iterator[pd.Series]:
        for a, b in batches:
            yield a * b
    return spark.range(5).select("id", times("id", F.col("id") + 1))


def pandas_iterator_that_reads_ahead():
    from typing import Iterator

    @F.pandas_udf("long")
    def plus(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        for batch in list(batches):
            yield batch + 1
    return spark.range(5000).select(plus("id").alias("x")).agg(F.sum("x"))


def arrow_scalar():
    import pyarrow.compute as pc

    @F.arrow_udf("string")
    def upper(a: pa.Array) -> pa.Array:
        return pc.ascii_upper(a)
    return people.select(upper("name"))


def arrow_iterator():
    from typing import Iterator
    import pyarrow.compute as pc

    @F.arrow_udf("long")
    def plus(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        for batch in batches:
            yield pc.add(batch, 5)
    return spark.range(4).select(plus("id"))


def map_in_pandas():
    def keep(batches):
        for batch in batches:
            yield batch[batch.id % 2 == 1]
    return spark.range(6).withColumn("t", F.lit("x")).mapInPandas(keep, "id long, t string")


def map_in_pandas_other_columns():
    def count(batches):
        n = 0
        for batch in batches:
            n += len(batch)
        yield pd.DataFrame({"n": [n], "s": ["all"]})
    return people.mapInPandas(count, "n long, s string")


def map_in_arrow():
    def half(batches):
        for batch in batches:
            yield batch.slice(0, batch.num_rows // 2)
    return people.select("name", "age").mapInArrow(half, "name string, age int")


def map_in_arrow_batches():
    def sizes(batches):
        for batch in batches:
            yield pa.RecordBatch.from_pydict({"n": pa.array([batch.num_rows], pa.int64())})
    return spark.range(25000).mapInArrow(sizes, "n long")


def map_of_a_map():
    def more(batches):
        for batch in batches:
            yield batch.assign(id=batch.id + 1)
    return spark.range(4).mapInPandas(more, "id long").filter("id > 1").mapInPandas(more, "id long").agg(F.sum("id"))


def map_then_join():
    def more(batches):
        for batch in batches:
            yield batch.assign(id=batch.id + 1)
    left = spark.range(4).mapInPandas(more, "id long")
    return left.join(spark.range(3), "id").orderBy("id")


def apply_in_pandas():
    def centred(rows):
        return rows.assign(age=rows.age - rows.age.mean())[["name", "age"]]
    return people.filter("age is not null").groupby("city").applyInPandas(centred, "name string, age double")


def apply_in_pandas_with_key():
    def named(key, rows):
        return pd.DataFrame([(str(key[0]), len(rows))])
    return people.groupby("city").applyInPandas(named, "k string, n long").orderBy("k")


def apply_in_pandas_by_expression():
    def sums(key, rows):
        return pd.DataFrame({"k": [key[0]], "s": [int(rows.id.sum())]})
    return spark.range(10).groupby((F.col("id") % 3).alias("m")).applyInPandas(sums, "k long, s long").orderBy("k")


def apply_in_pandas_iterator():
    from typing import Iterator

    def sizes(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield pd.DataFrame({"n": [len(batch)]})
    return spark.range(10).groupby(F.col("id") % 2).applyInPandas(sizes, "n long")


def apply_in_arrow():
    def firsts(table):
        return table.slice(0, 1)
    return numbers.groupby("n").applyInArrow(firsts, "n int, word string")


def apply_in_arrow_with_key():
    def sizes(key, table):
        return pa.table({"k": pa.array([key[0].as_py()], pa.int32()), "n": pa.array([table.num_rows], pa.int64())})
    return numbers.groupby("n").applyInArrow(sizes, "k int, n long")


def apply_in_pandas_cogrouped():
    def both(left, right):
        return pd.DataFrame({"l": [len(left)], "r": [len(right)]})
    return people.groupby("age").cogroup(numbers.groupby("n")).applyInPandas(both, "l long, r long")


def apply_in_pandas_cogrouped_with_key():
    def both(key, left, right):
        return pd.DataFrame({"k": [key[0]], "l": [len(left)], "r": [",".join(right["word"])]})
    return spark.range(35, 43).withColumn("n", F.col("id").cast("int")).groupby("n").cogroup(numbers.groupby("n")).applyInPandas(
        both, "k int, l long, r string")


def apply_in_arrow_cogrouped():
    def both(key, left, right):
        return pa.table({"k": pa.array([key[0].as_py()], pa.int32()), "l": pa.array([left.num_rows], pa.int64()), "r": pa.array([right.num_rows], pa.int64())})
    return spark.range(40, 43).withColumn("n", F.col("id").cast("int")).groupby("n").cogroup(numbers.groupby("n")).applyInArrow(
        both, "k int, l long, r long")


def pandas_aggregate():
    @F.pandas_udf("double")
    def mean(v: pd.Series) -> float:
        return v.mean()
    return spark.range(10).groupBy((F.col("id") % 3).alias("k")).agg(mean("id").alias("m")).orderBy("k")


def pandas_aggregate_of_all():
    @F.pandas_udf("long")
    def count(v: pd.Series) -> int:
        return len(v)
    return people.agg(count("age"))


def pandas_aggregate_of_none():
    @F.pandas_udf("long")
    def count(v: pd.Series) -> int:
        return len(v)
    return people.filter("age > 1000").agg(count("age"))


def two_pandas_aggregates():
    @F.pandas_udf("double")
    def weighted(v: pd.Series, w: pd.Series) -> float:
        return float((v * w).sum() / w.sum())

    @F.pandas_udf("long")
    def largest(v: pd.Series) -> int:
        return int(v.max())
    return spark.range(1, 10).groupBy((F.col("id") % 2).alias("k")).agg(weighted("id", F.col("id") * 2), largest("id") + 1).orderBy("k")


def arrow_aggregate():
    import pyarrow.compute as pc

    @F.arrow_udf("long")
    def total(v: pa.Array) -> int:
        return pc.sum(v).as_py()
    return spark.range(10).groupBy((F.col("id") % 3).alias("k")).agg(total("id").alias("t")).orderBy("k")


def pandas_window():
    @F.pandas_udf("double")
    def mean(v: pd.Series) -> float:
        return v.mean()
    return spark.range(6).select("id", mean("id").over(W.partitionBy(F.col("id") % 2)).alias("m")).orderBy("id")


def pandas_window_of_a_frame():
    @F.pandas_udf("long")
    def total(v: pd.Series) -> int:
        return int(v.sum())
    w = W.partitionBy(F.col("id") % 2).orderBy("id").rowsBetween(-1, 0)
    return spark.range(6).select("id", total("id").over(w).alias("t")).orderBy("id")


def registered():
    spark.udf.register("plus_one_", lambda x: x + 1, "long")
    return spark.sql("SELECT plus_one_(id) FROM range(3)")


def registered_in_a_filter():
    spark.udf.register("is_odd_", F.udf(lambda x: x % 2 == 1, "boolean"))
    return spark.sql("SELECT id FROM range(6) WHERE is_odd_(id) ORDER BY id DESC")


def registered_aggregate():
    @F.pandas_udf("long")
    def total_(v: pd.Series) -> int:
        return int(v.sum())
    spark.udf.register("total_", total_)
    return spark.sql("SELECT id % 2 AS k, total_(id) FROM range(6) GROUP BY id % 2 ORDER BY k")


def registered_by_name():
    spark.udf.register("twice_", lambda x: x * 2, "long")
    return spark.range(3).select(F.call_udf("twice_", F.col("id")), F.expr("twice_(id + 1)"))


def table_function():
    @F.udtf(returnType="n int, square int")
    class Squares:
        def eval(self, start: int, end: int):
            for n in range(start, end + 1):
                yield n, n * n
    return Squares(F.lit(1), F.lit(3))


def arrow_table_function():
    @F.udtf(returnType="n int, t string", useArrow=True)
    class Words:
        def eval(self, text: str):
            for i, word in enumerate(text.split(" ")):
                yield i, word

        def terminate(self):
            yield -1, "end"
    return Words(F.lit("a b c"))


def registered_table_function():
    @F.udtf(returnType="c string")
    class Letters:
        def eval(self, text: str):
            for c in text or "":
                yield (c,)
    spark.udtf.register("letters_", Letters)
    return spark.sql("SELECT * FROM letters_('abc')")


def table_function_beside_rows():
    @F.udtf(returnType="c string")
    class Letters:
        def eval(self, text: str):
            for c in text or "":
                yield (c,)
    spark.udtf.register("letters_", Letters)
    return spark.sql("SELECT word, c FROM numbers, LATERAL letters_(word || word)")


def table_function_of_a_table():
    @F.udtf(returnType="n bigint")
    class Count:
        def __init__(self):
            self.n = 0

        def eval(self, row):
            self.n += row["id"]

        def terminate(self):
            yield (self.n,)
    spark.udtf.register("count_", Count)
    return spark.sql("SELECT * FROM count_(TABLE(SELECT id FROM range(5)))")


def table_function_of_a_table_by_key():
    @F.udtf(returnType="k bigint, n bigint")
    class Count:
        def __init__(self):
            self.k, self.n = None, 0

        def eval(self, row):
            self.k = row["k"]
            self.n += row["id"]

        def terminate(self):
            yield self.k, self.n
    spark.udtf.register("count_", Count)
    return spark.sql("SELECT * FROM count_(TABLE(SELECT id % 2 AS k, id FROM range(6)) PARTITION BY k) ORDER BY k")


def an_exception():
    def fails(x):
        raise ValueError(f"no {x}")
    return spark.range(1).select(F.udf(fails, "int")("id"))


def an_exception_in_pickled():
    def fails(x):
        return 1 // x
    return spark.range(1).select(F.udf(fails, "int", useArrow=False)("id"))


def an_exception_in_pandas():
    @F.pandas_udf("long")
    def fails(v: pd.Series) -> pd.Series:
        raise KeyError("missing")
    return spark.range(1).select(fails("id"))


def an_exception_in_a_map():
    def fails(batches):
        for batch in batches:
            yield batch
        raise RuntimeError("at the end")
    return spark.range(3).mapInPandas(fails, "id long")


def wrong_number_of_rows():
    @F.pandas_udf("long")
    def fails(v: pd.Series) -> pd.Series:
        return pd.Series([1])
    return spark.range(3).select(fails("id"))


def wrong_columns():
    def other(batches):
        for batch in batches:
            yield batch.rename(columns={"id": "x"})
    return spark.range(3).mapInPandas(other, "id long")


def table_function_that_analyzes():
    @F.udtf
    class Repeat:
        @staticmethod
        def analyze(text, times):
            from pyspark.sql.udtf import AnalyzeResult
            assert times.isConstantExpression
            return AnalyzeResult(T.StructType([T.StructField(f"c{i}", text.dataType) for i in range(times.value)]))

        def eval(self, text, times):
            yield tuple(text for _ in range(times))
    return Repeat(F.lit("x"), F.lit(3))


def table_function_that_analyzes_a_table():
    @F.udtf
    class Largest:
        def __init__(self):
            self.best = None

        @staticmethod
        def analyze(table):
            from pyspark.sql.udtf import AnalyzeResult, OrderingColumn, PartitioningColumn
            return AnalyzeResult(T.StructType([T.StructField("k", T.LongType()), T.StructField("id", T.LongType())]),
                                 partitionBy=[PartitioningColumn("k")], orderBy=[OrderingColumn("id")])

        def eval(self, row):
            self.best = row

        def terminate(self):
            yield self.best["k"], self.best["id"]
    spark.udtf.register("largest_", Largest)
    return spark.sql("SELECT * FROM largest_(TABLE(SELECT id % 3 AS k, id FROM range(10))) ORDER BY k")


def table_function_whose_analyze_fails():
    @F.udtf
    class Fails:
        @staticmethod
        def analyze(text):
            raise ValueError("not this")

        def eval(self, text):
            yield (text,)
    return Fails(F.lit("x"))


def no_columns():
    return spark.range(3).mapInPandas(lambda batches: (batch.iloc[:, :0] for batch in batches), T.StructType([])).select(F.lit(1).alias("x"))


def aggregate_over_iterators():
    from typing import Iterator

    @F.pandas_udf("double")
    def mean(batches: Iterator[pd.Series]) -> float:
        total = count = 0
        for batch in batches:
            total += batch.sum()
            count += len(batch)
        return total / count
    return spark.range(9).groupBy((F.col("id") % 2).alias("k")).agg(mean("id").alias("m")).orderBy("k")


def groups_of_nulls_and_nan():
    def sizes(key, rows):
        return pd.DataFrame([(str(key[0]), len(rows))])
    return spark.sql("SELECT * FROM VALUES (NULL), (DOUBLE('NaN')), (1D), (NULL), (DOUBLE('NaN')), (2D), (2D) AS t(x)").groupby(
        "x").applyInPandas(sizes, "k string, n long")


def many_groups():
    def sizes(key, rows):
        return pd.DataFrame([(key[0], len(rows), rows.id.min())])
    return spark.range(20000).groupby((F.col("id") % 700).alias("k")).applyInPandas(sizes, "k long, n long, m long").agg(
        F.sum("k"), F.sum("n"), F.sum("m"), F.count("*"))


def variants_and_times():
    f = F.udf(lambda v: str(v), "string", useArrow=True)
    return spark.sql("SELECT parse_json('{\"a\": 1}') v").select(f("v"))
