// The flights pipeline written against the C++ API: the same rows, features, model and seed as
// pipeline.toml, and so the same metrics. usage: flights_example FOLDER_OF_CSV_FILES [MODEL_FOLDER]
#include <firesteel/firesteel.h>

#include <cstdio>
#include <exception>

using namespace firesteel;
using namespace firesteel::functions;

namespace {

/// Late and arrived, late-leaving and departed flights of each group.
DataFrame counts(const DataFrame& flights, const std::vector<Column>& keys) {
  return flights.groupBy(keys).agg({sum("late").alias("late"), count("late").alias("arrived"),
                                    sum("left_late").alias("left_late"),
                                    count("left_late").alias("departed"),
                                    count("*").alias("flights")});
}

/// Share of late flights in a range of days or hours before, as a window function per key.
Column rate(const std::string& late, const std::string& all, const std::string& keys,
            const std::string& order, const std::string& from, const std::string& to) {
  const auto window = " OVER (PARTITION BY " + keys + " ORDER BY " + order +
                      " RANGE BETWEEN INTERVAL " + from + " PRECEDING AND INTERVAL " + to +
                      " PRECEDING)";
  return expr("try_divide(sum(" + late + ")" + window + ", sum(" + all + ")" + window + ")");
}

int run(const std::string& folder, const std::string& model_folder) {
  auto spark = Session::builder().getOrCreate();
  auto csv = [&](const char* name) {
    return spark.read()
        .option("header", true)
        .option("inferSchema", true)
        .option("nullValue", "NA")
        .csv(folder + "/" + name);
  };
  const auto labelled =
      csv("flights.csv")
          .withColumn("date", call_function("make_date", {"year", "month", "day"}))
          .withColumn("departure_minute", col("hour") * 60 + col("minute"))
          .withColumn("late", (col("arr_delay") >= 15).cast("int"))
          .withColumn("left_late", (col("dep_delay") >= 15).cast("int"));

  const auto carrier_days =
      counts(labelled, {"carrier", "date"})
          .select({"carrier", "date",
                   rate("late", "arrived", "carrier", "date", "8 DAYS", "2 DAYS")
                       .alias("carrier_late_7d"),
                   rate("left_late", "departed", "carrier", "date", "1 DAY", "1 DAY")
                       .alias("carrier_left_late_1d")});
  const auto route_days =
      counts(labelled, {"origin", "dest", "date"})
          .select({"origin", "dest", "date",
                   rate("late", "arrived", "origin, dest", "date", "29 DAYS", "2 DAYS")
                       .alias("route_late_28d")});
  const auto origin_hours =
      counts(labelled, {"origin", "time_hour"})
          .select({"origin", "time_hour", col("flights").alias("origin_load"),
                   rate("left_late", "departed", "origin", "time_hour", "4 HOURS", "2 HOURS")
                       .alias("origin_left_late_3h")});
  const auto carrier_hours = counts(labelled, {"carrier", "origin", "time_hour"})
                                 .select({"carrier", "origin", "time_hour",
                                          rate("left_late", "departed", "carrier, origin",
                                               "time_hour", "4 HOURS", "2 HOURS")
                                              .alias("carrier_left_late_3h")});
  std::vector<Column> means;
  for (const char* name :
       {"temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"}) {
    means.push_back(avg(name).alias(name));
  }
  const auto weather = csv("weather.csv").groupBy({"origin", "time_hour"}).agg(means);
  const auto planes =
      csv("planes.csv")
          .select({"tailnum", col("year").alias("plane_year"), "seats", "engines", "manufacturer"});
  const auto airports = csv("airports.csv")
                            .select({col("faa").alias("dest"), col("lat").alias("dest_lat"),
                                     col("lon").alias("dest_lon"), col("alt").alias("dest_alt")});

  const auto examples = labelled.filter(col("late").isNotNull())
                            .withColumn("weekday", dayofweek("date").cast("string"))
                            .withColumn("hour_of_day", col("hour").cast("string"))
                            .join(planes, {"tailnum"}, "left")
                            .join(airports, {"dest"}, "left")
                            .join(weather, {"origin", "time_hour"}, "left")
                            .join(origin_hours, {"origin", "time_hour"}, "left")
                            .join(carrier_hours, {"carrier", "origin", "time_hour"}, "left")
                            .join(carrier_days, {"carrier", "date"}, "left")
                            .join(route_days, {"origin", "dest", "date"}, "left")
                            .orderBy({"time_hour", "carrier", "flight", "origin"});

  const auto features = Features()
                            .numeric({"departure_minute",
                                      "distance",
                                      "plane_year",
                                      "seats",
                                      "dest_lat",
                                      "dest_lon",
                                      "dest_alt",
                                      "temp",
                                      "dewp",
                                      "humid",
                                      "wind_speed",
                                      "wind_gust",
                                      "precip",
                                      "pressure",
                                      "visib",
                                      "origin_load",
                                      "origin_left_late_3h",
                                      "carrier_left_late_3h",
                                      "carrier_late_7d",
                                      "carrier_left_late_1d",
                                      "route_late_28d"})
                            .categorical({"carrier", "origin", "dest", "weekday", "hour_of_day",
                                          "engines", "manufacturer"})
                            .label("late");
  ModelOptions model{.hidden = {128, 64}, .dropout = 0.2};
  TrainOptions options;
  options.trainer.epochs = 6;
  options.trainer.learning_rate = 0.002;
  options.trainer.optimizer.weight_decay = 0.01;
  options.trainer.schedule.kind = Schedule::kOneCycle;
  options.trainer.seed = 1;
  options.batches.rows = 4096;

  // Run once, kept: training reads the rows several times.
  auto rows = examples.selectExpr([&] {
    auto names = features.columns();
    names.push_back(
        "CASE WHEN time_hour >= '2013-11-01' THEN 2 WHEN time_hour >= '2013-10-01' THEN 1 ELSE 0 "
        "END AS part");
    return names;
  }());
  rows.write().mode("overwrite").parquet(model_folder + ".rows");
  rows = spark.read().parquet(model_folder + ".rows");

  const auto fitted =
      train(rows.filter("part = 0"), features, model, options, rows.filter("part = 1"));
  const auto metrics = fitted.evaluate(rows.filter("part = 2"));
  std::printf("auc       %.6f\nlog_loss  %.6f\n", metrics.at("auc"), metrics.at("log_loss"));
  fitted.save(model_folder);
  fitted.transform(rows.filter("part = 2"))
      .select({"carrier", "dest", "late", "prediction"})
      .show(5);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER_OF_CSV_FILES [MODEL_FOLDER]\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? argv[2] : "flights-model");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
