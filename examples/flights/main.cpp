// The flights pipeline written against the C++ API: the same rows, features, model and seed as
// pipeline.toml, and so the same metrics. usage: flights_example FOLDER_OF_CSV_FILES [MODEL_FOLDER]
#include <firesteel/firesteel.h>

#include <cstdio>
#include <exception>

using namespace firesteel;
using namespace firesteel::functions;

namespace {

/// late and arrived flights of each key and day.
DataFrame daily(const DataFrame& flights, std::vector<Column> keys) {
  keys.emplace_back("date");
  return flights.groupBy(keys).agg(sum("late").alias("late"), count("late").alias("arrived")).filter(col("arrived") > 0);
}

/// Share of late flights over the days before, as a window function per key.
Column late_rate(const std::string& keys, int days) {
  const auto window = " OVER (PARTITION BY " + keys + " ORDER BY date RANGE BETWEEN INTERVAL " + std::to_string(days) +
                      " DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING)";
  return expr("sum(late)" + window + " / sum(arrived)" + window);
}

int run(const std::string& folder, const std::string& model_folder) {
  auto spark = Session::builder().getOrCreate();
  auto csv = [&](const char* name) {
    return spark.read().option("header", true).option("inferSchema", true).option("nullValue", "NA").csv(folder + "/" + name);
  };
  const auto flights = csv("flights.csv");
  const auto labelled = flights.withColumn("date", call_function("make_date", {"year", "month", "day"}))
                            .withColumn("departure_minute", col("hour") * 60 + col("minute"))
                            .withColumn("late", (col("arr_delay") >= 15).cast("int"));

  const auto carriers = daily(labelled, {"carrier"})
                            .select({"carrier", "date", late_rate("carrier", 7).alias("carrier_late_7d"),
                                     late_rate("carrier", 1).alias("carrier_late_1d")});
  const auto routes = daily(labelled, {"origin", "dest"})
                          .select({"origin", "dest", "date", late_rate("origin, dest", 28).alias("route_late_28d")});
  const auto origins = daily(labelled, {"origin"}).select({"origin", "date", late_rate("origin", 1).alias("origin_late_1d")});
  std::vector<Column> means;
  for (const char* name : {"temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"}) {
    means.push_back(avg(name).alias(name));
  }
  const auto weather = csv("weather.csv").groupBy({"origin", "time_hour"}).agg(means);
  const auto load = flights.groupBy({"origin", "time_hour"}).agg(count("*").alias("origin_load"));
  const auto planes = csv("planes.csv").select({"tailnum", col("year").alias("plane_year"), "seats", "engines", "manufacturer"});
  const auto airports = csv("airports.csv")
                            .select({col("faa").alias("dest"), col("lat").alias("dest_lat"), col("lon").alias("dest_lon"),
                                     col("alt").alias("dest_alt")});

  const auto examples = labelled.filter(col("late").isNotNull())
                            .withColumn("weekday", dayofweek("date").cast("string"))
                            .withColumn("hour_of_day", col("hour").cast("string"))
                            .join(planes, {"tailnum"}, "left")
                            .join(airports, {"dest"}, "left")
                            .join(weather, {"origin", "time_hour"}, "left")
                            .join(load, {"origin", "time_hour"}, "left")
                            .join(carriers, {"carrier", "date"}, "left")
                            .join(routes, {"origin", "dest", "date"}, "left")
                            .join(origins, {"origin", "date"}, "left")
                            .orderBy({"time_hour", "carrier", "flight", "origin"});

  const auto features =
      Features()
          .numeric({"departure_minute", "distance", "plane_year", "seats", "dest_lat", "dest_lon", "dest_alt", "temp", "dewp",
                    "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib", "origin_load", "carrier_late_7d",
                    "carrier_late_1d", "route_late_28d", "origin_late_1d"})
          .categorical({"carrier", "origin", "dest", "weekday", "hour_of_day", "engines", "manufacturer"})
          .label("late");
  ModelOptions model{.hidden = {128, 64}, .dropout = 0.2};
  TrainOptions options;
  options.trainer.epochs = 6;
  options.trainer.learning_rate = 0.002;
  options.trainer.weight_decay = 0.01;
  options.trainer.schedule = Schedule::kOneCycle;
  options.trainer.seed = 1;
  options.batches.rows = 4096;

  // Run once, kept: training reads the rows several times.
  auto rows = examples.selectExpr([&] {
    auto names = features.columns();
    names.push_back("CASE WHEN time_hour >= '2013-11-01' THEN 2 WHEN time_hour >= '2013-10-01' THEN 1 ELSE 0 END AS part");
    return names;
  }());
  rows.write().mode("overwrite").parquet(model_folder + ".rows");
  rows = spark.read().parquet(model_folder + ".rows");

  const auto fitted = train(rows.filter("part = 0"), features, model, options, rows.filter("part = 1"));
  const auto metrics = fitted.evaluate(rows.filter("part = 2"));
  std::printf("auc       %.6f\nlog_loss  %.6f\n", metrics.at("auc"), metrics.at("log_loss"));
  fitted.save(model_folder);
  fitted.transform(rows.filter("part = 2")).select({"carrier", "dest", "late", "prediction"}).show(5);
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
