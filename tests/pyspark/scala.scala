// What Spark's own Scala client sees of the server: run by scala.py, which compares what it prints.
val spark = org.apache.spark.sql.connect.SparkSession.builder().remote(sys.props("url")).getOrCreate()
import org.apache.spark.SparkThrowable
import spark.implicits._

def failure(name: String)(body: => Any): Unit =
  try println(s"$name: no error, but " + body)
  catch {
    case error: SparkThrowable =>
      val parameters = error.getMessageParameters
      println(s"$name: ${error.getClass.getName} ${error.getCondition} ${error.getSqlState}")
      parameters.keySet.toArray(Array.empty[String]).sorted.foreach(key => println(s"  $key = ${parameters.get(key)}"))
      error.getQueryContext.foreach(context => println(s"  at ${context.fragment}"))
      println("  " + error.asInstanceOf[Throwable].getMessage.linesIterator.next())
  }

println("count: " + spark.range(10).count())
spark.range(2).selectExpr("id", "id * 2 AS twice").show()
println("collect: " + spark.sql("SELECT * FROM VALUES (1, 'Ada'), (2, NULL) AS t(id, name)").collect().mkString(" "))
println("arguments: " + spark.sql("SELECT :x + 1 AS y", Map("x" -> 41)).head())
println("dataset: " + Seq((1, "a"), (2, "b")).toDF("n", "s").as[(Int, String)].collect().mkString(" "))
failure("column")(spark.sql("SELECT nme FROM VALUES ('Ada') AS t(name)").collect())
failure("division")(spark.sql("SELECT 1 / 0").collect())
failure("cast")(spark.sql("SELECT CAST('x' AS INT)").collect())
failure("map")(spark.range(3).map(_ + 1).collect())
spark.close()
sys.exit(0)
